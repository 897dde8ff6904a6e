"""docs/differences.md shows what is measured, for every setting in which the presets differ."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.studies import differences, long_histories, loss_numerics
from benchmarks.studies.differences import VARIANTS, Protocol, Study, differing
from benchmarks.studies.differences_page import change, fill, option
from msm4sr_lite import training
from msm4sr_lite.config import as_dict
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.table import make_features, slot_sentences
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.store.checksums import write_checksums
from tests.toys import memory_cache, toy_sequences, toy_table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "docs" / "differences.json").read_text(encoding="utf-8"))
TABLE = PAGE.split("<!-- measured: options -->\n")[1].split("<!-- end -->")[0].splitlines()[2:]
ROWS = {option(row): row for row in TABLE}
TABLE_OF_TOYS = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])


def flat(config):
    parts = as_dict(config).items()
    return {f"{part}.{name}": value for part, of in parts for name, value in of.items()}


PAPER, AUTHORS = flat(PRESETS["paper"]), flat(PRESETS["authors"])


def test_the_page_shows_exactly_the_committed_figures():
    assert fill(PAGE, RESULTS) == PAGE
    other = json.loads(json.dumps(RESULTS))
    other["variants"]["pretrain.prefix_augmentation"]["change"]["ndcg@10"]["value"] += 0.01
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
    assert change({"value": -0.01, "low": -0.03, "high": 0.01}).endswith("] not significant")
    assert change({"value": 0.0, "low": 0.0, "high": 0.0}).endswith("] the same")
    clear = {"value": -0.02, "low": -0.03, "high": -0.01}
    assert change({**clear, "seeds": [-0.02]}).endswith("] one seed")
    assert change({**clear, "seeds": [-0.02, -0.02]}).endswith("] **worse**")


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


@pytest.fixture
def study(tmp_path, monkeypatch):
    kept = ("paper", "model.mask_padding", "finetuned", "finetune.pad_class")
    monkeypatch.setattr(differences, "VARIANTS", {name: VARIANTS[name] for name in kept})
    sequences = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
    protocol = Protocol(seeds=1, more_seeds=2, epochs=1, finetune_epochs=1, batch_size=16)
    return Study(sequences, {"images": TABLE_OF_TOYS}, protocol, tmp_path)


def test_a_stopped_study_continues(study, monkeypatch):
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


def test_keyword_slots_are_those_of_the_setting(tiny_bert, tmp_path):
    items = [Item("a", "mug"), Item("b", images=("1.png", "2.png"))]
    keywords = {"b": [["cup", "red"], ["mug"]]}
    lines = [{"item_id": "b", "keywords": best} for best in keywords["b"]]
    source = tmp_path / "keywords"
    source.mkdir()
    text = "\n".join(map(json.dumps, lines))
    (source / "keywords.jsonl").write_text(text, encoding="utf-8")
    encoder, folder = TextEncoder(tiny_bert), tmp_path / "features"
    for setting, place in (("keywords", tmp_path / "made"), ("images", folder)):
        sentences = slot_sentences(items, keywords, image_slots=setting)
        make_features(place, sentences, encoder, memory_cache(), keywords=source)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["text_encoder"]["name"] = tiny_bert
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_checksums(folder)
    made = load_feature_table(tmp_path / "made")
    found = differences.keyword_slots(folder, load_feature_table(folder))
    assert found.image.counts.tolist() == made.image.counts.tolist() == [0, 0, 3]
    torch.testing.assert_close(found.image.vectors, made.image.vectors, atol=2e-3, rtol=0)


def test_the_command_writes_the_figures_and_the_page(sample_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(differences, "keyword_slots", lambda folder, table: table)
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
    assert "not the sample dataset (no sample.json)" in capsys.readouterr().err
