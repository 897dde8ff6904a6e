"""Comparisons: choice on validation, frozen recipes, honest statistics, resuming."""

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from msm4sr_lite.study.budget import Budget

from benchmarks.studies.results_page import collect, fill
from msm4sr_lite.baselines import ItemKNN, tfidf_vectors
from msm4sr_lite.cli import build_parser, main
from msm4sr_lite.cli.study import about
from msm4sr_lite.config import (
    PRESETS,
    Config,
    UserError,
)
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.store.cached_runs import Runs
from msm4sr_lite.study.ablations import (
    FewerWords,
    RawClip,
    TfidfBeside,
    TfidfTexts,
    ablations,
    is_main,
)
from msm4sr_lite.study.beyond_accuracy import coverage, popularity_bias, top_lists
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.cold_table import cold_table, with_cold_items
from msm4sr_lite.study.compare import Comparison, access_log, read_recipes
from msm4sr_lite.study.data import Data, changed
from msm4sr_lite.study.forest import forest
from msm4sr_lite.study.models import (
    MODELS,
    Fitted,
    Model,
    ModelSpec,
    WithCounts,
    able,
    grid,
    pretrained,
)
from msm4sr_lite.study.pages import as_text
from msm4sr_lite.study.paired import holm, paired, with_seeds
from msm4sr_lite.study.upper_bound import UpperBound, expected_ndcg
from tests.tiny_models import text_model
from tests.toys import toy_dataset, toy_sequences, toy_table

TINY = {"model.dim": 8, "model.ffn_dim": 8, "model.layers": 1, "model.experts": 2}
SHORT = Budget(batch_size=32, pretrain_epochs=1, finetune_epochs=1)


@pytest.fixture
def data():
    sequences = toy_sequences([7, 8, 6, 9, 7, 8], n_items=19)
    titles = ["red oak clock", "red tent", "oak table", "blue tent", "blue clock"]
    items = {f"i{n}": Item(f"i{n}", title=titles[n % 5]) for n in range(1, 20)}
    table = toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1])
    return Data(Dataset(Path("toy"), items, pd.DataFrame()), sequences, table)


# -------------------------------------------------------------------- statistics


def test_p_and_interval_tell_the_same():
    rng = np.random.default_rng(1)
    base = [rng.integers(1, 60, 300) for _ in range(3)]
    nudged = [np.maximum(1, r - rng.integers(0, 3, 300)) for r in base]
    for ranks, clear in ((nudged, True), ([rng.permutation(r) for r in base], False)):
        found = paired(ranks, base)["ndcg@10"]
        assert (found["p"] < 0.05) == (not found["low"] <= 0 <= found["high"]) == clear
    same = paired(base, base)["ndcg@10"]
    assert (same["value"], same["p"], same["detectable"]) == (0, 1, 0)


def test_the_detectable_difference_is_found_four_times_in_five():
    """Simulated studies whose true gain is what one of them calls detectable."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4000)
    error = noise.std() / math.sqrt(4000)
    detectable = error * (1.959964 + 0.841621)
    gains = detectable + rng.normal(0, error, 20_000)
    assert (gains > 1.959964 * error).mean() == pytest.approx(0.8, abs=0.01)
    ranks = [np.where(np.arange(400) % 2, 1, 3)]
    base = [np.where(np.arange(400) % 3, 3, 1)]
    found = paired(ranks, base)["ndcg@10"]
    half = (found["high"] - found["low"]) / 2
    assert found["detectable"] == pytest.approx(half * (1.959964 + 0.841621) / 1.959964, abs=1e-5)


def test_a_model_without_seeds_is_compared_with_every_seed_of_the_other():
    one, many = [np.array([1, 5, 9])], [np.array([1, 1, 2]), np.array([3, 2, 40])]
    assert paired(one, many) == paired(one * 2, many)
    assert len(paired(one, many)["ndcg@10"]["seeds"]) == 2


def test_several_cases_of_a_customer_are_not_several_customers():
    ranks, base = [np.array([1, 1, 1, 9] * 50)], [np.array([2, 2, 2, 9] * 50)]
    alone = paired(ranks, base)["ndcg@10"]
    four = paired(ranks, base, np.arange(200) // 4)["ndcg@10"]
    assert four["value"] == alone["value"]
    assert four["high"] - four["low"] < alone["high"] - alone["low"]  # all customers are alike
    by_place = paired(ranks, base, np.arange(200) % 4)["ndcg@10"]
    assert by_place["high"] - by_place["low"] > 2 * (alone["high"] - alone["low"])


def test_seeds_widen_the_interval():
    each = np.random.default_rng(0).random(500)
    alike = with_seeds([{"x": each}] * 3)["x"]
    apart = with_seeds([{"x": each - 0.2}, {"x": each}, {"x": each + 0.2}])["x"]
    assert alike["value"] == pytest.approx(apart["value"])
    assert apart["high"] - apart["low"] > 3 * (alike["high"] - alike["low"])
    assert len(apart["seeds"]) == 3
    # Student's t with two degrees of freedom, at both ends.
    spread = 4.302653 * 0.2 / math.sqrt(3)
    for end in ("low", "high"):
        users = apart["value"] - alike[end]
        assert abs(apart["value"] - apart[end]) == pytest.approx(
            math.hypot(users, spread), abs=2e-6
        )


def test_p_is_two_sided():
    found = paired([np.array([1, 4, 2, 9, 3] * 20)], [np.array([2, 3, 2, 9, 4] * 20)])["ndcg@10"]
    error = (found["high"] - found["low"]) / 2 / 1.959964
    assert found["p"] == pytest.approx(math.erfc(abs(found["value"]) / error / math.sqrt(2)))


def test_holm_against_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(6) ** 3
        found = holm(p.tolist())
        for alpha in (0.01, 0.05, 0.2, 0.5):
            rejected = set()  # step down until one is not small enough
            for step, index in enumerate(np.argsort(p)):
                if p[index] > alpha / (6 - step):
                    break
                rejected.add(int(index))
            assert {i for i in range(6) if found[i] <= alpha} == rejected
    assert holm([]) == []


# -------------------------------------------------------------- beyond accuracy


class Table:
    """A scorer that gives everybody the same scores."""

    def __init__(self, *row):
        self.row = torch.tensor(row)

    def score(self, histories):
        return self.row.expand(len(histories), -1)


def test_lists_leave_out_padding_and_history():
    scorer, histories = Table(9.0, 3.0, 5.0, 5.0, 1.0), [np.array([2]), np.array([4, 1])]
    assert top_lists(scorer, histories, 2).tolist() == [[3, 1], [2, 3]]
    assert top_lists(scorer, histories, 2, filter_seen=False).tolist() == [[2, 3], [2, 3]]
    assert top_lists(scorer, [np.array([1, 2, 3])], 3).tolist() == [[4, 0, 0]]
    assert scorer.row.tolist() == [9, 3, 5, 5, 1]  # not written into


def test_coverage_and_popularity_bias():
    lists = np.array([[1, 2, 0], [2, 3, 0]])
    assert coverage(lists, 4) == 0.75
    bought = np.array([0, 8, 4, 0, 2])
    assert popularity_bias(lists, np.array([2, 4]), bought) == pytest.approx(4 / 3)
    assert popularity_bias(lists, np.array([3]), bought) == math.inf


# --------------------------------------------------------------------- contenders


def test_every_contender_has_at_most_four_points_and_only_known_settings(data):
    for name, spec in MODELS.items():
        assert 1 <= len(spec.grid) <= 4, name
        assert len({json.dumps(point) for point in spec.grid}) == len(spec.grid)
        assert "0x" not in repr(spec.make), name  # names a run, so no address in it
        if spec.learns:
            for point in spec.grid:
                config = spec.make.config(data, point)
                assert isinstance(spec.make, WithCounts) or (
                    config != PRESETS[spec.make.preset] or name == "msm4sr"
                )


def test_a_shop_without_pictures_has_no_contender_that_needs_them(data):
    textual = Data(data.dataset, data.sequences, toy_table([1] * 19, [0] * 19))
    found = list(able(textual, list(MODELS)))
    assert "image" not in found
    assert "text+image" not in found
    assert {"text", "msm4sr", "tfidf_knn", "sasrec"} <= set(found)


@pytest.mark.parametrize("name", [name for name, one in MODELS.items() if one.learns])
def test_every_learnt_contender_trains_and_ranks(name, data, tmp_path):
    spec = MODELS[name]
    data = replace(data, whole=data)
    for point in spec.grid[1:3]:
        settings = {**SHORT.settings(), **TINY, **point}
        scorer = spec.make(data, settings, 1, tmp_path)
        scores = scorer.score([np.array([1, 2]), np.array([3])])
        assert scores.shape == (2, 20)
        assert torch.isfinite(scores).all()
        assert scores[0, 1:].std() > 0


def test_counts_and_a_model_are_added_and_the_model_is_trained_once(data, tmp_path, monkeypatch):
    made = []

    class Fake:
        def config(self, data, settings):
            made.append(settings)
            return PRESETS["tuned"]

        def __call__(self, data, settings, seed, states):
            made.append(seed)
            return Table(9.0, *torch.linspace(-1, 1, 19).tolist())

    both, histories = WithCounts(Fake()), [np.array([1, 2]), np.array([5])]
    found = {
        weight: both(data, {"decay": 0.5, "weight": weight, "x.y": 1}, 3, tmp_path).score(histories)
        for weight in (0.0, 2.0)
    }
    assert made == [{"x.y": 1}, 3, {"x.y": 1}]
    counts = ItemKNN(data.sequences, 0.5).score(histories)
    counts = counts / counts.amax(dim=1, keepdim=True)
    torch.testing.assert_close(found[0.0], counts)
    likely = (torch.linspace(-1, 1, 19).double() / PRESETS["tuned"].finetune.temperature).softmax(0)
    torch.testing.assert_close(
        (found[2.0] - counts)[:, 1:], (2 * likely / likely.max()).expand(2, -1), atol=1e-6, rtol=0
    )
    assert (found[2.0] - counts)[:, 0].tolist() == [0, 0]  # padding is not likely


def test_grid():
    assert grid(a__b=[1, 2]) == [{"a.b": 1}, {"a.b": 2}]


# ------------------------------------------------------------------------- runs


def test_a_run_is_made_once_and_anew_when_anything_changes(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"ranks": [len(made)]}

    runs = Runs(tmp_path)
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 3}], make)["ranks"] == [2]
    assert Runs(tmp_path).get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert len(list(tmp_path.iterdir())) == 2
    for broken in tmp_path.iterdir():
        broken.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be read .*; delete it"):
        runs.get("a b/c", [1, {"x": 3}], make)


class Spy:
    """A contender that hits when its setting is right; it counts how often it is made."""

    def __init__(self):
        self.made = []

    def __repr__(self):
        return "Spy"

    def __call__(self, data, settings, seed, states):
        self.made.append((settings["good"], seed))
        histories, targets = data.sequences.held_out("valid")
        answer = {tuple(h): t for h, t in zip(histories, targets, strict=True)}

        class Scorer:
            def score(self, histories):
                rows = torch.zeros(len(histories), data.sequences.n_items + 1)
                for row, history in enumerate(histories):
                    if settings["good"] and tuple(history) in answer:
                        rows[row, answer[tuple(history)]] = 1
                return rows

        return Scorer()


def test_settings_are_chosen_on_validation_frozen_and_tested_with_other_seeds(data, tmp_path):
    spy = Spy()
    specs = {
        "spy": ModelSpec([{"good": False}, {"good": True}], spy, learns=True),
        "one point": ModelSpec([{"good": True}], spy, learns=True),
        "popularity": MODELS["popularity"],
    }
    study = Comparison(data, tmp_path, SHORT, specs)
    chosen = study.tune(["spy", "one point", "popularity"])
    assert chosen["spy"]["settings"] == {"good": True}
    assert [one["ndcg@10"] for one in chosen["spy"]["tried"]] == [0, 1]
    assert chosen["one point"] == {"settings": {"good": True}, "tried": []}
    assert spy.made == [(False, 0), (True, 0)]  # and nothing for a grid with nothing to choose
    assert access_log(tmp_path) == []  # the test split is still closed

    found = study.test(["spy", "popularity"], chosen, [1, 2])
    assert spy.made[2:] == [(True, 1), (True, 2)]
    assert (len(found["spy"]), len(found["popularity"])) == (2, 1)
    opened = access_log(tmp_path)
    assert len(opened) == 1
    assert (opened[0]["models"], opened[0]["seeds"]) == (["spy", "popularity"], [1, 2])

    # Once more: nothing is made, nothing is opened; with another seed it is.
    again = Comparison(data, tmp_path, SHORT, specs)
    assert again.tune(["spy", "popularity"]) == chosen
    again.test(["spy", "popularity"], chosen, [1, 2])
    assert (len(spy.made), len(access_log(tmp_path))) == (4, 1)
    again.test(["spy"], chosen, [3])
    assert (len(spy.made), len(access_log(tmp_path))) == (5, 2)

    with pytest.raises(UserError, match="seed 0 chose the settings; test with other seeds"):
        study.test(["spy"], chosen, [0, 1])
    with pytest.raises(UserError, match="no recipe for spy; run `msm4sr study tune`"):
        study.test(["spy"], {}, [1])

    table = study.table(found, against="spy")
    assert table["models"]["spy"]["masked"]["ndcg@10"]["value"] == pytest.approx(
        np.mean([metrics(np.array(run["masked"]))["ndcg@10"].mean() for run in found["spy"]])
    )
    assert set(table["change"]) == {"popularity"}
    assert table["change"]["popularity"]["masked"]["ndcg@10"]["p_holm"] <= 1
    assert study.table(found)["against"] in found


def test_items_never_bought_are_ranked_among_themselves(data, tmp_path):
    data = replace(data, sequences=toy_sequences([5, 4, 5, 4], n_items=19))
    histories, targets = data.sequences.held_out("test")
    seen = {int(item) for history in histories for item in history}
    cold = np.array([item for item in range(1, 20) if item not in seen])
    assert len(cold) > 1
    asked = np.isin(targets, cold)
    assert 0 < asked.sum() < len(targets)
    scorer = Table(*np.random.default_rng(0).random(20))
    found = Comparison(data, tmp_path).judge(scorer, "test")
    scores = scorer.score(histories).numpy()
    by_hand = []
    for row in np.flatnonzero(asked):
        rivals = [i for i in cold if i != targets[row] and i not in histories[row]]
        by_hand.append(1 + sum(scores[row, i] >= scores[row, targets[row]] for i in rivals))
    assert found["among_cold"] == by_hand
    # What was bought for validation alone is not cold, though no training sequence holds it.
    assert len(cold) < (data.bought[1:] == 0).sum()


def test_frozen_recipes_that_are_none(tmp_path):
    path = tmp_path / "recipes.json"
    for text in ("", "[]", '{"sasrec": {}}', '{"sasrec": 3}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=r"recipes.json: no recipes in it"):
            read_recipes(path)


# -------------------------------------------------------------------- ceilings


def test_shares_of_the_ceiling(sample_dataset, tmp_path):
    from msm4sr_lite.baselines.oracle import load_oracles
    from msm4sr_lite.dataset.folder import read_folder

    dataset = read_folder(sample_dataset, domain="home")
    sequences = build_sequences(dataset.interactions, list(dataset.items))
    table = load_feature_table(sample_dataset / "features").for_items(sequences.items)
    upper_bound = UpperBound.of(Data(dataset, sequences, table))
    assert {kind: round(top, 3) for kind, top in upper_bound.best.items()} == {
        "oracle": 0.240,
        "content": 0.216,
    }  # as the sample's README says
    known = load_oracles(dataset.folder, sequences)
    histories, _ = sequences.held_out("test")
    plain = known["content"].score(histories[:7])[:, 1:].numpy()
    truth = known["oracle"].score(histories[:7])[:, 1:].numpy()
    few = UpperBound(histories[:7], truth, {"oracle": 1.0})
    assert few.expected(known["content"]) == pytest.approx(expected_ndcg(plain, truth).mean())
    assert few.shares([{"expected_ndcg@10": 0.2}, {"expected_ndcg@10": 0.3}]) == {
        "expected_ndcg@10": 0.25,
        "share_of_upper_bound": {"oracle": 0.25},
    }


def test_other_shops_have_no_known_ceiling(data):
    upper_bound = UpperBound.of(data)
    assert upper_bound.best == {}
    assert upper_bound.expected(Fitted("popularity")(data, {}, 0, Path())) is None
    assert upper_bound.shares([]) == {}


def test_a_small_shop_is_learnt_in_small_batches(data, tmp_path):
    """Forty steps an epoch at least, unless a batch size is asked for."""
    for targets in (1, 100, 2_560, 5_796, 20_480, 10**6):
        size = Budget().fitting(targets).batch_size
        assert 64 <= size <= 512
        assert targets // size >= 40 or size == 64
        assert targets // (2 * size) < 40 or size == 512
        assert Budget(batch_size=300).fitting(targets) == Budget(batch_size=300)
    assert Comparison(data, tmp_path).budget.batch_size == 64


# -------------------------------------------------------------------- ablations


def test_every_ablation_changes_one_thing(data):
    base = Model(pretrains=True).config(data, {})
    for name, spec in ablations("clip").items():
        assert "0x" not in repr(spec.make), name  # names a run, so no address in it
        model = getattr(spec.make, "model", spec.make)
        if name in ("msm4sr", "no pre-training", "no fine-tuning") or model is not spec.make:
            assert not model.settings, name
            continue
        assert model.settings, name
        if name != "with ids":  # the preset has them; a tuned recipe may not
            assert model.config(data, {}) != base, name
        # A recipe does not undo what is ablated.
        undo = {key: not value for key, value in model.settings.items() if "use_ids" in key}
        assert model.config(data, undo) == model.config(data, {}), name


def test_a_variant_that_changes_nothing_is_known(data):
    def same(use_ids):
        settings = {"finetune.use_ids": use_ids}
        return {n for n, variant in ablations("clip").items() if is_main(variant, data, settings)}

    assert same(use_ids=False) == {"msm4sr", "no ids"}
    assert same(use_ids=True) == {"msm4sr", "with ids"}


def test_a_full_study_takes_out_what_the_paper_adds():
    few = set(ablations(claims_only=True))
    assert few == {"msm4sr", "no pre-training", "no fine-tuning", "no mixup", "no CMCL"}
    assert few < set(ablations())
    with_clip = ablations("some/clip", claims_only=True)  # whoever names a CLIP wants its vectors
    assert set(with_clip) - few == {"raw CLIP vectors"}


def test_fewer_words(tmp_path, data):
    text_model("bert", tmp_path / "bert")
    made = {"name": str(tmp_path / "bert"), "pooling": "mean"}
    table = FeatureTable(
        data.table.items, data.table.text, data.table.image, {"content": "x", "text_encoder": made}
    )
    words = {item: [["red", "blue", "oak"]] for item in table.items[1:5]}
    goods = Data(data.dataset, data.sequences, table, keywords=words)
    from msm4sr_lite.features.text_encoder import TextEncoder

    found = FewerWords(2)(goods)
    assert found.image.counts.tolist() == [0, 1, 1, 1, 1, *[0] * 15]
    expected = TextEncoder(**made).encode(["red blue"])[0]
    assert found.image.vectors[0].tolist() == expected.tolist()
    assert found.manifest["content"] != "x"
    assert torch.equal(found.text.vectors, table.text.vectors)
    with pytest.raises(UserError, match="have 3 words, not 4"):
        FewerWords(4)(goods)


def test_raw_clip_vectors(sample_dataset, mini_clip):
    from msm4sr_lite.dataset.folder import read_folder
    from msm4sr_lite.features.images import open_image
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    dataset = read_folder(sample_dataset, domain="home")
    chosen = list(dataset.items)[:12]
    items = ["", *chosen]
    table = load_feature_table(sample_dataset / "features").for_items(items)
    sequences = toy_sequences([6, 7], n_items=12)
    goods = Data(dataset, sequences, table)
    found = RawClip(str(mini_clip))(goods)
    counts = [len(dataset.items[item].images) for item in chosen]
    assert found.image.counts.tolist() == [0, *counts]
    assert 0 in counts
    place = next(i for i, count in enumerate(counts) if count)
    picture = open_image(dataset.image_root, dataset.items[chosen[place]].images[0])
    vector = KeywordTokenizer(str(mini_clip), ["picture"]).image_embeddings([picture])[0]
    own = found.image.vectors[0].float()
    assert own[: len(vector)].tolist() == pytest.approx(vector.tolist(), abs=2e-3)
    assert not own[len(vector) :].any()
    wide = table.width
    assert torch.equal(found.text.vectors[:, :wide], table.text.vectors)
    assert found.width == max(wide, len(vector))


def test_tfidf_in_place_of_bert(data):
    goods = Data(data.dataset, data.sequences, data.table)
    found, plain = TfidfTexts()(goods), tfidf_vectors(goods.texts())[1:]
    described = np.diff(plain.indptr) > 0
    assert found.text.counts.tolist() == [0, *described]
    assert torch.equal(found.image.vectors, data.table.image.vectors)
    assert found.manifest["content"] != data.table.manifest["content"]
    # As long as BERT's on average at most, and as alike as the words say.
    vectors = found.text.vectors.float()
    length = data.table.text.vectors.float().norm(dim=1).mean()
    kept = (vectors / length) @ (vectors / length).T
    alike = (plain @ plain.T).toarray()[np.ix_(described, described)]
    assert kept.numpy() == pytest.approx(alike, abs=0.02)


def test_tfidf_beside_bert(data):
    goods = Data(data.dataset, data.sequences, data.table)
    found, words = TfidfBeside()(goods).text, TfidfTexts()(goods).text
    texts = data.table.text
    assert found.counts.tolist() == (texts.counts + words.counts).tolist()
    for item in range(len(data.table.items)):
        slots = [
            one.vectors[one.starts[item] :][: one.counts[item]] for one in (texts, words, found)
        ]
        assert torch.equal(slots[2], torch.cat(slots[:2]))


# ---------------------------------------------------------------- several at once


@dataclass(frozen=True)
class Leaf:
    """A contender's ``make`` that leaves the number of its process behind."""

    def __call__(self, data, settings, seed, states):
        states.mkdir(parents=True, exist_ok=True)
        (states / f"{settings['decay']}-{seed}.txt").write_text(str(os.getpid()))
        if settings["decay"] > 1:
            raise UserError("decay must be at most 1")
        return ItemKNN(data.sequences, settings["decay"])


def test_runs_made_at_once_are_those_made_one_after_another(data, tmp_path):
    points = [{"decay": 0.5}, {"decay": 0.9}]
    specs = {
        "leaf": ModelSpec(points, Leaf(), learns=True),
        "text": ModelSpec(
            [{"finetune.lr": 1e-3}, {"finetune.lr": 3e-4}],
            Model(settings=TINY | {"model.modalities": "text"}),
            learns=True,
        ),
    }
    found = {}
    for jobs in (1, 2):
        study = Comparison(data, tmp_path / str(jobs), SHORT, specs, jobs)
        chosen = study.tune(list(specs))
        runs = study.test(list(specs), chosen, [1, 2])
        found[jobs] = chosen, [[run["masked"] for run in runs[name]] for name in specs]
    assert found[1] == found[2]

    def processes(jobs):
        return {file.read_text() for file in (tmp_path / str(jobs) / "states").glob("*.txt")}

    assert processes(1) == {str(os.getpid())}
    assert str(os.getpid()) not in processes(2)

    broken = {"leaf": ModelSpec([{"decay": 2}, {"decay": 3}], Leaf(), learns=True)}
    with pytest.raises(UserError, match="decay must be at most 1"):
        Comparison(data, tmp_path / "broken", SHORT, broken, 2).tune(["leaf"])


def test_two_that_begin_from_one_pre_training_make_it_once(data, tmp_path, monkeypatch):
    made = []

    def slow(*args, **options):
        made.append(options["seed"])
        time.sleep(0.3)
        return iter(())

    monkeypatch.setattr("msm4sr_lite.training.pretrain", slow)
    config = changed(Config(), TINY | {"model.feature_dim": data.table.width})
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(pretrained, data, config, 1, tmp_path / "states") for _ in range(2)]
        first, second = (one.result().state_dict() for one in asked)
    assert made == [1]
    assert all(torch.equal(first[name], second[name]) for name in first)


# -------------------------------------------------------------- the command


def test_the_command_on_a_toy_shop(tmp_path, tiny_bert, capsys):
    dataset, out = toy_dataset(tmp_path / "dataset", users=9, items=14), tmp_path / "study"
    assert main(["keywords", str(dataset), "--out", str(dataset)]) == 0
    assert main(["features", str(dataset), "--out", str(dataset), "--text-encoder", tiny_bert]) == 0
    common = [str(dataset), "--out", str(out), "--batch-size", "32", "--pretrain-epochs", "1"]
    common += ["--finetune-epochs", "1", "--seeds", "2"]
    few = ["--models", "popularity,item_knn,text,text+image"]
    capsys.readouterr()
    assert main(["study", "tune", *common, *few, "--json"]) == 0
    told = capsys.readouterr()
    assert set(json.loads(told.out)["recipes"]) == {"popularity", "item_knn", "text"}
    assert "text+image left out: the shop has no image\n" in told.err
    assert "study: choosing settings, 8 runs\n" in told.err
    assert not (out / "openings.json").exists()

    assert main(["study", "main", *common, *few, "--json"]) == 0
    told = capsys.readouterr()
    assert "study: testing, 4 runs\n" in told.err
    assert "choosing" not in told.err
    result = json.loads(told.out)["main"]
    assert result == json.loads((out / "main.json").read_text(encoding="utf-8"))
    assert (result["users"], result["cases"], result["seeds"]) == (9, 9, [1, 2])
    assert set(result["models"]) == {"popularity", "item_knn", "text"}
    assert len(result["models"]["text"]["masked"]["ndcg@10"]["seeds"]) == 2
    assert len(result["access_log"]) == 1

    assert main(["study", "main", *common, *few]) == 0
    text = capsys.readouterr().out
    assert "9 customers, 9 test purchases (leave-one-out" in text
    assert "item_knn" in text

    # Given recipes need not name a contender that has one setting only.
    frozen = read_recipes(out / "recipes.json")
    del frozen["popularity"]
    (tmp_path / "given.json").write_text(json.dumps(frozen), encoding="utf-8")
    given = ["--recipes", str(tmp_path / "given.json")]
    capsys.readouterr()
    assert main(["study", "main", *common, *few, *given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["main"]["recipes"]["popularity"] == {}

    capsys.readouterr()
    some = ["--models", "no mixup,no ids,with ids"]
    assert main(["study", "ablations", *common, *some, "--json"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)["ablations"]
    has_ids = result["recipes"]["msm4sr"]["finetune.use_ids"]
    same, other = ("with ids", "no ids") if has_ids else ("no ids", "with ids")
    assert f"study: {same} left out: the settings chosen for msm4sr say that already\n" in told.err
    assert set(result["models"]) == {"msm4sr", "no mixup", other}  # msm4sr to compare with
    assert set(result["change"]) == {"no mixup", other}
    assert (out / "ablations.png").read_bytes().startswith(b"\x89PNG")
    assert main(["study", "ablations", *common, "--models", "popularity"]) == 2
    assert "no contender 'popularity'; there are msm4sr, no pre-training" in capsys.readouterr().err

    for extra, message in (
        (["--models", "magic"], "no contender 'magic'; there are popularity"),
        (["--seeds", "0"], "seeds must be at least 1; got 0"),
        (["--jobs", "0"], "jobs must be at least 1; got 0"),
    ):
        assert main(["study", "main", *common, *extra]) == 2
        assert message in capsys.readouterr().err


# ------------------------------------------------------------------------ pages


@pytest.fixture
def result(data, tmp_path):
    """What `msm4sr study main` would write, of quick contenders."""
    data = replace(data, sequences=toy_sequences([6, 5, 6, 4, 5], n_items=19))
    names = ["popularity", "item_knn", "tfidf_knn"]
    study = Comparison(data, tmp_path / "study", SHORT)
    found = study.test(names, study.tune(names), [1])
    about = {"dataset": "toy", "domain": "", "users": 5, "cases": 5, "items": 19, "seeds": [1]}
    about |= {"split": "leave-one-out", "cold_cases": 2, "quick": False, "upper_bound": {}}
    cold = {**about, "taken_out": False, **cold_table(data, found)}
    return {"main": {**about, **study.table(found)}, "cold": cold}


def test_a_page_shows_what_was_found_and_nothing_else(result, tmp_path):
    folder = tmp_path / "results" / "toy"
    folder.mkdir(parents=True)
    for part, found in result.items():
        (folder / f"{part}.json").write_text(json.dumps(found), encoding="utf-8")
    blank = "Words.\n\n<!-- measured: toy/main -->\nSTALE\n<!-- end -->\n\nMore words.\n"
    page = fill(blank + blank.replace("main", "cold"), tmp_path / "results")
    assert page.startswith("Words.\n\n<!-- measured: toy/main -->\n")
    assert "STALE" not in page
    assert fill(page, tmp_path / "results") == page
    for name, own in result["main"]["models"].items():
        value = own["masked"]["ndcg@10"]["value"]
        assert f"| {name} | {value:.4f} [" in page
    assert f"{result['cold']['chance']:.4f}" in page
    with pytest.raises(UserError, match=r"other.main.json: cannot be read"):
        fill(blank.replace("toy", "other"), tmp_path / "results")


def test_ablations_are_drawn_beside_their_table(result, tmp_path):
    folder = tmp_path / "results" / "toy"
    folder.mkdir(parents=True)
    (folder / "ablations.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    page = fill("<!-- measured: toy/ablations -->\n<!-- end -->\n", tmp_path / "results")
    assert "](results/toy/ablations.png)\n\ntoy, M²SE, one thing changed" in page
    assert (folder / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_a_forest_shows_each_difference_and_which_are_clear():
    def found(value, low, high, p):
        return {"masked": {"ndcg@10": {"value": value, "low": low, "high": high, "p_holm": p}}}

    change = {"same": found(0.01, -0.01, 0.03, 0.4), "better": found(0.05, 0.02, 0.08, 0.01)}
    change["worse"] = found(-0.04, -0.06, -0.02, 0.001)
    figure, words = forest({"against": "whole", "change": change})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse", "same", "better"]
    lines = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [list(ends) for ends in lines[1:]] == [[-0.06, -0.02], [-0.01, 0.03], [0.02, 0.08]]
    dots = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"]
    assert [dot == "white" for dot in dots] == [False, True, False]
    assert "1 of 3 are clearly worse, 1 clearly better" in axes.get_title("left")
    assert "Clearly worse: worse. Clearly better: better." in words
    assert "difference in NDCG@10 to whole" in axes.get_xlabel()


def test_results_are_copied_under_the_shops_name(result, tmp_path):
    study = tmp_path / "study-shop"
    study.mkdir()
    with pytest.raises(UserError, match="no results of `msm4sr study` in this folder"):
        collect(study, tmp_path / "results")
    (study / "main.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    (path,) = collect(study, tmp_path / "results")
    assert path == tmp_path / "results" / "dataset" / "main.json"
    assert json.loads(path.read_text(encoding="utf-8")) == result["main"]


def test_what_cannot_be_told_apart_is_marked(result):
    table = result["main"]
    best = table["against"]
    for name, change in table["change"].items():
        own = change["masked"]["ndcg@10"]
        for p, marked in ((0.2, True), (0.01, False)):
            own["p_holm"] = p
            (line,) = [x for x in as_text("main", table).splitlines() if x.startswith(name + " ")]
            assert ("≈" in line) == marked
            assert f"p = {p:.3f}" in line
    first = as_text("main", table).splitlines()[3]
    assert first.split()[0] == max(
        table["models"], key=lambda n: table["models"][n]["masked"]["ndcg@10"]["value"]
    )
    assert best in as_text("main", table)


def test_the_committed_results_page_is_made_of_the_committed_figures():
    page = Path(__file__).resolve().parents[1] / "docs" / "results.md"
    text = page.read_text(encoding="utf-8")
    assert fill(text, page.with_suffix("")) == text


def test_cold_cases_are_parted_by_popularity_and_history(data, tmp_path):
    data = replace(data, sequences=toy_sequences([6, 5, 6, 4, 5], n_items=19))
    study = Comparison(data, tmp_path, SHORT)
    found = {"popularity": [study.run("popularity", {}, 0, "test")]}
    table = cold_table(data, found)
    _, targets = data.sequences.held_out("test")
    sold = data.bought[targets]
    assert sum(table["counts"]["by_popularity"].values()) == len(targets)
    assert table["counts"]["by_popularity"]["0"] == (sold == 0).sum()
    assert sum(table["counts"]["by_history"].values()) == len(targets)
    ranks = np.array(found["popularity"][0]["masked"])
    own = table["models"]["popularity"]["by_popularity"]
    for label, (low, high) in {"0": (0, 0), "1-2": (1, 2), "3-5": (3, 5)}.items():
        rows = (sold >= low) & (sold <= high)
        assert table["counts"]["by_popularity"][label] == rows.sum()
        if not rows.any():
            assert label not in own
            continue
        expected = metrics(ranks[rows], [10])["ndcg@10"].mean()
        assert own[label]["ndcg@10"]["value"] == pytest.approx(expected, abs=1e-6)


def test_a_shop_without_cold_items_gets_some(data):
    busy = replace(data, sequences=toy_sequences([12] * 40, n_items=19))
    same, made = with_cold_items(busy, fewest=0)
    assert (same, made) == (busy, False)
    fewer, made = with_cold_items(busy)
    assert made
    cold = cold_items(fewer.sequences)
    assert len(cold) >= 3
    assert not np.isin(np.concatenate(fewer.sequences.train()), cold).any()
    assert fewer.table is busy.table
    args = build_parser().parse_args(["study", "cold", "dataset", "--tests", "3"])
    assert about(args, fewer, SHORT)["split"] == "leave-one-out"  # what is left has one test each
    with_cuts = replace(busy.sequences, cuts=np.tile([8, 9], (40, 1)))
    assert about(args, replace(busy, sequences=with_cuts), SHORT)["split"] == "leave-3-out"
