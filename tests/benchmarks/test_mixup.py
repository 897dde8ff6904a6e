"""The study of what mixup is for: changed features, and a short run from end to end."""

import json

import numpy as np
import pytest
import torch

from benchmarks.studies import mixup
from msm4sr_lite import Dataset
from msm4sr_lite.config import DataConfig, ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.similarity import cosine_scores
from msm4sr_lite.study.config import TrainingBudget
from msm4sr_lite.study.specs import prepare
from tests.small_dataset import feature_table, interaction_frame, item_frame


def small_table() -> FeatureTable:
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(9, 4, generator=rng).half().numpy()
    text = make_slots(vectors[:5], torch.tensor([0, 2, 1, 2]).numpy())
    image = make_slots(vectors[5:], torch.tensor([0, 1, 0, 3]).numpy())
    return FeatureTable(["", "a", "b", "c"], text, image, {})


def test_exchange_gives_each_chosen_item_the_slots_of_the_other_modality():
    table, items = small_table(), torch.arange(4)
    changed = mixup.exchange(table, torch.tensor([False, True, False, True]))
    for item in items:
        swapped = item in (1, 3)
        for name, other in (("text", "image"), ("image", "text")):
            was = getattr(table, other if swapped else name).gather(items[item : item + 1], 3)
            now = getattr(changed, name).gather(items[item : item + 1], 3)
            assert all(torch.equal(*pair) for pair in zip(was, now, strict=True))


def test_changes_remove_or_exchange_and_leave_the_table_alone():
    table = small_table()
    found = mixup.changed_tables(table, seed=1)
    assert list(found) == ["unchanged", "no text", "no image"] + [
        f"exchanged: {share}" for share in ("25%", "50%", "100%")
    ]
    assert found["unchanged"] is table
    assert not found["no text"].text.counts.any()
    assert found["no text"].image is table.image
    assert not found["no image"].image.counts.any()
    assert found["no image"].text is table.text
    assert torch.equal(found["exchanged: 100%"].text.counts, table.image.counts)


def test_mixed_histories_are_read_exchanged_and_the_items_ranked_as_they_are():
    table = feature_table()
    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=table.width, dim=16, layers=1, heads=2, experts=2))
    scorer, histories = ModelScorer(model, table), [np.array([1, 2]), np.array([3])]
    nothing = torch.zeros(len(table.items), dtype=torch.bool)
    assert torch.equal(
        mixup.MixedHistories(scorer, nothing).score(histories), scorer.score(histories)
    )
    chosen = nothing.clone()
    chosen[2] = True
    got, usual = mixup.MixedHistories(scorer, chosen).score(histories), scorer.score(histories)
    torch.testing.assert_close(got[1], usual[1])
    z = {m: scorer.items[m][[1, 2]] for m in ("text", "image")}
    text = torch.stack([z["text"][0], z["image"][1]])[None]
    image = torch.stack([z["image"][0], z["text"][1]])[None]
    with torch.inference_mode():
        h = model.encode({"text": text, "image": image})
    wanted = sum(cosine_scores(h[m][:, -1], scorer.items[m]) for m in h)
    torch.testing.assert_close(got[:1], wanted)


def test_short_study(tmp_path):
    dataset = Dataset.from_frames(interaction_frame(), item_frame())
    data = prepare(dataset, feature_table(), DataConfig())
    budget = TrainingBudget(pretrain_epochs=1, finetune_epochs=1)
    found = mixup.measure(data, tmp_path, "tuned", 2, budget)
    runs = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert len(runs) == 2 * len(mixup.VARIANTS)
    assert mixup.measure(data, tmp_path, "tuned", 2, budget) == found
    assert runs == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    keys = found["with_minus_without"].keys()
    assert len(keys) == len(mixup.STAGES) * (
        len(mixup.changed_tables(data.table, 1)) + len(mixup.SHARES)
    )
    for name, model in found["models"].items():
        assert model.keys() == keys
        one = model["fine-tuned, no text"]["ndcg@10"]
        assert len(one["seeds"]) == 2
        before = model["fine-tuned, unchanged"]["ndcg@10"]["value"]
        loss = found["loss_by_change"][name]["fine-tuned, no text"]["ndcg@10"]["value"]
        assert loss == pytest.approx(one["value"] - before, abs=2e-6)
    assert "user1" not in json.dumps(found)  # nothing about single users
