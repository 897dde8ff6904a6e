"""How cold items are ranked, and what fine-tuning does to them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from course.cold_start import exposure, replace_ids, report

from msm4sr_lite.baselines import Popularity
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.study.cold_start import cold_items
from tests.tiny_study import sequences_of
from tests.toys import toy_table

ROWS = [[1, 2, 3, 7], [2, 1, 4, 8], [3, 2, 1, 4, 5], [1, 3, 2, 6, 7]]
TOY = sequences_of(ROWS, n_items=9)


class Ordered:
    """Scores every item by its number: the last one is the best."""

    def score(self, histories):
        return torch.arange(10.0).expand(len(histories), -1)


def test_a_report_computed_by_hand():
    found = report(Ordered(), TOY, length_starts=(1, 4))
    # Targets 7, 8, 5, 7: before them stand 8 and 9; 9; 6 to 9; 8 and 9.
    ndcg = [1 / math.log2(rank + 1) for rank in (3, 2, 5, 3)]
    assert found["all"]["users"] == 4
    assert found["all"]["metrics"]["ndcg@5"]["value"] == pytest.approx(np.mean(ndcg), abs=1e-6)
    cold = found["cold"]
    assert (cold["items"], cold["among_all"]["users"]) == (4, 4)
    assert cold["among_cold"]["candidates"] == 4
    # Among 5, 7, 8 and 9 item 5 is no longer beaten by 6.
    ndcg = [1 / math.log2(rank + 1) for rank in (3, 2, 4, 3)]
    value = cold["among_cold"]["metrics"]["ndcg@5"]
    assert value["value"] == pytest.approx(np.mean(ndcg), abs=1e-6)
    assert value["low"] <= value["value"] <= value["high"]
    assert found["by_popularity"]["0"]["users"] == 4
    assert found["by_popularity"]["1-2"] == {"users": 0}
    assert {name: part["users"] for name, part in found["by_history"].items()} == {
        "1-3": 2,
        "4+": 2,
    }
    masked = report(Ordered(), TOY, length_starts=(1, 4))
    assert masked == found  # the same question, the same answer
    assert found["cold_in_catalogue"] == pytest.approx(4 / 9, abs=1e-6)


def test_report_where_no_test_item_is_cold():
    rows = [[1, 2, 3, 4], [4, 3, 2, 1], [2, 1, 4, 3]]
    found = report(Ordered(), sequences_of(rows, 9))
    assert found["cold"]["among_all"] == {"users": 0}
    assert found["cold"]["among_cold"] == {"candidates": 5, "users": 0}


def test_exposure_computed_by_hand():
    histories = [np.array([9, 8]), np.array([1])]
    one = exposure(Ordered(), histories, np.array([7, 9]), k=2)
    assert one.tolist() == [0.5, 0.5]  # 7 and 6 for the first, 9 and 8 for the second
    shown = exposure(Ordered(), histories, np.array([7, 9]), k=2, filter_seen=False)
    assert shown.tolist() == [0.5, 0.5]
    assert exposure(Ordered(), histories, np.array([8, 9]), k=2).tolist() == [0.0, 1.0]


@pytest.fixture
def model():
    net = M2SE(ModelConfig(feature_dim=11, dim=8, ffn_dim=8, n_items=9)).eval()
    torch.nn.init.normal_(net.ids.weight[1:])
    return net


def test_id_embeddings_are_replaced_by_zero_or_their_mean(model):
    table = toy_table([1] * 9, [2] * 9)
    scorer = ModelScorer(model, table)
    untouched = {view: z.clone() for view, z in scorer.items.items()}
    with torch.inference_mode():
        content = model.item_embeddings(table, torch.arange(10))
        mean = model.ids.weight[[1, 2, 3, 4, 6]].mean(dim=0)
    cold = np.array([5, 7, 8, 9])
    for by, stand_in in (("zero", 0), ("mean", mean)):
        other = replace_ids(scorer, cold, by)
        for view, z in other.items.items():
            torch.testing.assert_close(z[cold], content[view][cold] + stand_in)
            torch.testing.assert_close(z[[1, 2, 3, 4, 6]], untouched[view][[1, 2, 3, 4, 6]])
            assert torch.equal(scorer.items[view], untouched[view])
        histories = [np.array([1, 2])]
        torch.testing.assert_close(other.score_on_device(histories), other.score(histories))
    scorer.append(toy_table([2], [1], seed=9, items=["new"]))
    appended = scorer.items["text"][10].clone()
    other = replace_ids(scorer, np.array([5, 10]), "mean")
    with torch.inference_mode():
        mean = model.ids.weight[[1, 2, 3, 4, 6, 7, 8, 9]].mean(dim=0)
    torch.testing.assert_close(other.items["text"][10], appended + mean)
    torch.testing.assert_close(other.items["text"][5], content["text"][5] + mean)
    assert torch.equal(replace_ids(scorer, np.array([10]), "zero").items["text"][10], appended)
    plain = ModelScorer(M2SE(replace(model.config, n_items=0)), table)
    with pytest.raises(UserError, match="no id embeddings to replace"):
        replace_ids(plain, cold, "zero")


def test_fine_tuned_models_hardly_recommend_cold_items_of_the_sample(sample_dataset):
    """Fine-tuned on a catalogue with things nobody bought: these are hardly ever recommended."""
    from msm4sr_lite.features.table_files import load_feature_table
    from msm4sr_lite.store.checkpoints import load_checkpoint

    dataset = Dataset.from_folder(sample_dataset, domain="home")
    model, items = load_checkpoint(sample_dataset / "states" / "home_finetuned")
    table = load_feature_table(sample_dataset / "features").for_items(items)
    sequences = build_sequences(dataset.interactions, items[1:])
    scorer = ModelScorer(model, table)
    trained = report(scorer, sequences)
    zero = report(replace_ids(scorer, cold_items(sequences), "zero"), sequences)
    assert trained["cold"]["items"] == 104
    assert trained["cold"]["among_all"]["users"] == 299
    assert trained["cold_in_catalogue"] == 0.26
    assert trained["cold_in_top10"] < zero["cold_in_top10"] < 0.26 / 4

    def ndcg(found, among):
        return found["cold"][among]["metrics"]["ndcg@10"]["value"]

    assert ndcg(trained, "among_all") < ndcg(zero, "among_all")
    # Among themselves it ranks them far better than popularity, for which all are equal.
    nothing = report(Popularity(sequences), sequences)
    assert ndcg(trained, "among_cold") > 2 * 0.0437  # what a guess among 104 gets
    assert ndcg(nothing, "among_cold") == 0
