"""docs/differences.md says what is measured, for every setting in which the presets differ."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.studies import differences, long_histories, loss_numerics
from benchmarks.studies.differences import (
    VARIANTS,
    Protocol,
    Study,
    differing,
)
from benchmarks.studies.differences_page import change, fill, option
from msm4sr_lite import training
from msm4sr_lite.config import PRESETS, ModelConfig, as_dict
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.table import DatasetSentences, make_features
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.losses import cross_modal_loss
from msm4sr_lite.study.paired import paired
from tests.toys import toy_sequences, toy_table

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "docs" / "differences.json").read_text(encoding="utf-8"))
TABLE = PAGE.split("<!-- measured: options -->\n")[1].split("<!-- end -->")[0].splitlines()[2:]
ROWS = {option(row): row for row in TABLE}
TABLE_OF_TOYS = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])


def flat(config):
    parts = as_dict(config).items()
    return {f"{part}.{name}": value for part, of in parts for name, value in of.items()}


PAPER, AUTHORS = flat(PRESETS["paper"]), flat(PRESETS["authors"])

# ---------------------------------------------------------------------- the page


def test_the_page_shows_exactly_the_committed_figures():
    assert fill(PAGE, RESULTS) == PAGE
    other = json.loads(json.dumps(RESULTS))
    other["variants"]["pretrain.rows"]["change"]["ndcg@10"]["value"] += 0.01
    assert fill(PAGE, other) != PAGE
    assert "| |" not in "".join(TABLE)


def test_the_page_and_the_presets_name_the_same_differences():
    differ = {name for name in PAPER if PAPER[name] != AUTHORS[name]}
    measured = {name: VARIANTS[name].settings[name] for name in ROWS if "." in name}
    assert {name for name, value in measured.items() if value == AUTHORS[name]} == differ
    for name in measured.keys() - differ:
        assert "here too" in ROWS[name], name  # the released code does what `paper` does


def test_every_variant_has_a_row_and_the_row_says_what_is_changed():
    assert len(ROWS) == len(TABLE)
    assert {*ROWS, "paper", "finetuned"} == set(VARIANTS) == set(RESULTS["variants"])
    words = {True: "yes", False: "no"}
    for name in ROWS:
        if "." in name:
            before, after = PAPER[name], VARIANTS[name].settings[name]
            said = f"`{name}`: {words.get(before, before)} → {words.get(after, after)}"
            assert said in ROWS[name]


def test_a_verdict_needs_an_interval_without_zero():
    assert change({"value": 0.02, "low": 0.01, "high": 0.03}).endswith("+0.0300] **better**")
    assert change({"value": -0.02, "low": -0.03, "high": -0.01}).endswith("−0.0100] **worse**")
    assert change({"value": -0.01, "low": -0.03, "high": 0.01}).endswith("] unclear")
    assert change({"value": 0.0, "low": 0.0, "high": 0.0}).endswith("] the same")
    clear = {"value": -0.02, "low": -0.03, "high": -0.01}
    assert change({**clear, "seeds": [-0.02]}).endswith("] one seed")
    assert change({**clear, "seeds": [-0.02, -0.02]}).endswith("] **worse**")


# -------------------------------------------------------------------- the study


def test_a_variant_changes_what_it_says_and_nothing_else():
    base = flat(VARIANTS["paper"].config(Protocol()))
    assert {name for name in base if base[name] != PAPER[name]} == {
        f"{part}.{name}" for part in ("pretrain", "finetune") for name in ("epochs", "batch_size")
    }
    for variant in VARIANTS.values():
        changed = flat(variant.config(Protocol()))
        assert {n: changed[n] for n in base if changed[n] != base[n]} == variant.settings
        against = flat(VARIANTS[variant.against].config(Protocol()))
        assert sum(changed[n] != against[n] for n in base) <= 1 or variant is VARIANTS["authors"]
    assert VARIANTS["authors"].settings == {
        name: value
        for name, value in AUTHORS.items()
        if value != PAPER[name] and not name.startswith("finetune.")
    }
    assert differing("finetune") == {
        "finetune.prefix_augmentation": True,
        "finetune.pad_class": True,
    }


def test_pairs_of_customers_and_seeds_by_hand():
    found = paired([np.array([1, 11]), np.array([1, 30])], [np.array([3, 11]), np.array([11, 1])])
    ndcg, recall = found["ndcg@10"], found["recall@20"]
    assert ndcg["seeds"] == [0.25, 0.0]  # 1 - 1/2 and 0; 1 and -1
    assert ndcg["value"] == 0.125
    assert recall["seeds"] == [0.0, -0.5]
    # Over the seeds: t = 12.706, deviation 0.25 / sqrt(2), two of them. Over the customers, whose
    # means are 0.75 and -0.5: two draws of one of them are often alike.
    half = np.hypot(12.7062 * 0.25 / 2, 1.25 / 2)
    assert ndcg["high"] - ndcg["value"] == pytest.approx(half, abs=1e-3)
    assert ndcg["value"] - ndcg["low"] == pytest.approx(half, abs=1e-3)
    one = paired([np.array([1, 11])], [np.array([3, 11])])["ndcg@10"]
    assert (one["low"], one["high"]) == (0.0, 0.5)  # customers alone


@pytest.fixture
def study(tmp_path, monkeypatch):
    kept = ("paper", "model.mask_padding", "finetuned", "finetune.pad_class")
    monkeypatch.setattr(differences, "VARIANTS", {name: VARIANTS[name] for name in kept})
    sequences = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
    protocol = Protocol(seeds=1, more_seeds=2, epochs=1, finetune_epochs=1, batch_size=16)
    return Study(sequences, {"pictures": TABLE_OF_TOYS}, protocol, tmp_path)


def test_a_stopped_study_goes_on_where_it_was(study, monkeypatch):
    for stage in ("pretrain", "finetune"):
        monkeypatch.setattr(training, stage, lambda *_, **__: iter(()))
    trained, train = [], Study._train

    def counting(self, name, *arguments):
        trained.append((name, arguments[-2]))
        if len(trained) == 5:
            raise KeyboardInterrupt
        return train(self, name, *arguments)

    monkeypatch.setattr(Study, "_train", counting)
    with pytest.raises(KeyboardInterrupt):
        study.results()
    results = study.results()
    # Of the four, two are looked at closely: six pairs of variant and seed, the stopped one twice.
    assert len(trained) == len(set(trained)) + 1 == 7
    assert study.results() == results
    assert len(trained) == 7
    assert results["finetune.pad_class"]["against"] == "finetuned"
    seeds = {name: len(of["change"]["ndcg@10"]["seeds"]) for name, of in results.items()}
    assert list(seeds.values()) == [2, 2, 1, 1]
    study.protocol = replace(study.protocol, epochs=2)
    study.ranks("paper", 0)
    assert len(trained) == 8  # another protocol: trained again


def test_fine_tuning_starts_from_the_pretrained_paper(study, monkeypatch):
    starts, pretrained = [], study.pretrained(1)
    monkeypatch.setattr(
        differences, "transfer", lambda model, n: starts.append(model) or M2SE(model.config)
    )
    study.ranks("finetuned", 1)
    for name, value in pretrained.state_dict().items():
        assert torch.equal(starts[0].state_dict()[name], value)


def test_each_protocol_keeps_its_own_pretrained_paper(study):
    first, protocol = study.pretrained(0).state_dict(), study.protocol
    study.protocol = replace(protocol, epochs=3)
    other = study.pretrained(0).state_dict()
    study.protocol = protocol  # back: its run is kept, and so is its model
    again = study.pretrained(0).state_dict()
    assert all(torch.equal(again[name], value) for name, value in first.items())
    assert not all(torch.equal(other[name], value) for name, value in first.items())


def test_one_word_a_slot_is_the_setting(tiny_bert, tmp_path):
    items = [Item("a", "mug"), Item("b", images=("1.png", "2.png"))]
    keywords = {"b": [["cup", "red"], ["mug"]]}
    lines = [{"item_id": "b", "words": words} for words in keywords["b"]]
    source = tmp_path / "keywords.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    encoder, folder = TextEncoder(tiny_bert), tmp_path / "features"
    for setting, place in (("words", tmp_path / "made"), ("pictures", folder)):
        sentences = DatasetSentences(items, source, image_slots=setting)
        make_features(place, sentences, encoder, EmbeddingCache(":memory:"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["text_encoder"]["name"] = tiny_bert
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    made = load_feature_table(tmp_path / "made")
    found = differences.one_word_a_slot(folder, load_feature_table(folder))
    assert found.image.counts.tolist() == made.image.counts.tolist() == [0, 0, 3]
    torch.testing.assert_close(found.image.vectors, made.image.vectors, atol=2e-3, rtol=0)


def test_the_command_writes_the_figures_and_the_page(sample_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(differences, "one_word_a_slot", lambda folder, table: table)
    monkeypatch.setattr(Study, "pretrained", lambda self, seed: None)
    monkeypatch.setattr(Study, "results", lambda self: RESULTS["variants"])
    monkeypatch.setattr(loss_numerics, "measure", lambda *_: RESULTS["numerics"])
    monkeypatch.setattr(long_histories, "measure", lambda *_: RESULTS["long"])
    page = tmp_path / "differences.md"
    empty = "<!-- measured: long -->\n<!-- end -->"
    page.write_text(empty, encoding="utf-8")
    out = tmp_path / "out"
    differences.main([str(sample_dataset), "--out", str(out), "--page", str(page)])
    assert capsys.readouterr().out == f"{out / 'differences.json'}\n"
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8")) == RESULTS
    assert page.read_text(encoding="utf-8") == fill(empty, RESULTS) != empty
    with pytest.raises(SystemExit) as stop:
        differences.main([str(tmp_path), "--out", str(out)])
    assert stop.value.code == 2
    assert "not the sample shop (no sample.json)" in capsys.readouterr().err


# ---------------------------------------------------------- without training


def test_the_sums_are_the_row_wise_loss_and_lose_digits_in_float32():
    modalities = torch.nn.functional.normalize(torch.randn(2, 32, 8, dtype=torch.float64), dim=-1)
    ours = cross_modal_loss(
        modalities[0],
        modalities[1],
        torch.eye(32, dtype=torch.bool),
        temperature=0.07,
        form="rowwise",
    )
    assert float(loss_numerics.cross_modal_sums(*modalities)) == pytest.approx(
        float(ours), abs=1e-5
    )
    two = loss_numerics.subtracting(2, trials=100)
    assert two["broken"] > 0
    many = loss_numerics.subtracting(16, trials=20)
    assert many["broken"] == 0
    assert many["own_error"] < 1e-5 < many["error"]


def test_logit_zero_adds_something_only_where_targets_repeat():
    model = M2SE(ModelConfig(feature_dim=11, max_len=8))
    sequences = toy_sequences([6, 6], n_items=19)
    added = {}
    for name, events in (
        ("repeat", [1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]),
        ("differ", range(1, 13)),
    ):
        sequences.interactions[:] = events
        rows = loss_numerics.same_target(model, model, TABLE_OF_TOYS, sequences, sizes=(99,))
        assert rows[0]["untrained"] == rows[0]["trained"]
        added[name] = [rows[0][kind]["added"] for kind in ("untrained", "random")]
    assert min(added["repeat"]) > 0
    assert added["differ"] == [0, 0]


def test_pooling_without_a_mask():
    text = loss_numerics.pooling(TABLE_OF_TOYS, "text")
    assert text["slots"] == 4
    assert text["weight_of_real"]["4"] == 1
    for k in (1, 2, 3):
        assert text["weight_of_real"][str(k)] == pytest.approx(k / 4, abs=0.2)
    assert 0.3 < text["ten_more"] < 1


# --------------------------------------------------------------- long histories


@pytest.fixture(scope="module")
def home(sample_dataset):
    table = load_feature_table(sample_dataset / "features")
    return table.for_items(["", *(i for i in table.described() if i[0] == "h")])


def test_long_histories_follow_the_rule(home):
    one, two = (long_histories.long_sequences(home.items, "home", 30, seed) for seed in (0, 0))
    assert np.array_equal(one.interactions, two.interactions)
    assert np.array_equal(np.diff(one.offsets), [long_histories.LENGTH] * 30)
    for user in range(30):
        history = one.of(user)
        for step in range(1, len(history)):
            assert history[step] not in history[max(0, step - 50) : step]
    other = long_histories.long_sequences(home.items, "home", 30, seed=1)
    assert not np.array_equal(one.interactions, other.interactions)


@pytest.mark.parametrize(("max_len", "same"), [(long_histories.LENGTH, True), (20, False)])
def test_windows_differ_from_a_sliding_window_only_beyond_the_longest(home, max_len, same):
    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=home.width, max_len=max_len))
    torch.nn.init.normal_(model.transformer.position.weight)
    sequences = long_histories.long_sequences(home.items, "home", 2, seed=0)
    found = long_histories.read_both_ways(model, home, sequences, users=1)
    windows, sliding = found["windows"], found["sliding"]
    assert found["targets"] == long_histories.LENGTH - 2
    assert (found["cosine"]["least"] > 0.9999) is same
    assert (windows["context"] == sliding["context"]) is same
    assert windows["context"] <= sliding["context"]
    assert (abs(windows["loss"] - sliding["loss"]) < 2e-4) is same
