"""The table of what a model has not learned."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.studies import what_is_missing as missing
from msm4sr_lite.config import UserError


def test_the_table_splits_the_cases_into_thirds():
    first, never = np.array([1, 1, 1, 1, 1, 1]), np.array([1, 1, 99, 99, 99, 99])
    ranks = {"item_knn+tfidf": [first], "ours": [never, first]}
    text = missing.comparison_table(ranks, np.arange(6), np.array([0, 1, 2, 4, 7, 9]))
    assert "up to 1 training interactions, some: up to 4," in text
    assert "| | all | few, 2 cases | some, 2 cases | many, 2 cases |" in text
    assert "| item_knn+tfidf | 1.0000 | 1.0000 | 1.0000 | 1.0000 |  |" in text
    assert "| ours | 0.6667 | 1.0000 | 0.5000 | 0.5000 | -0.3333 [" in text


def test_the_second_table_tells_what_both_find():
    ranks = {"item_knn+tfidf": [np.array([1, 1, 99, 99])], "ours": [np.array([1, 99, 1, 1])]}
    last = missing.overlap_table(ranks).splitlines()[-1]
    assert last == "| ours | 0.250 | 0.500 | 0.250 | 0.000 | 1.000 |"


def test_popular_items_are_made_less_likely():
    sequences = SimpleNamespace(item_counts=lambda: np.array([0, 0, 8]))
    study_data = SimpleNamespace(sequences=sequences)
    likely = SimpleNamespace(score=lambda _: torch.tensor([[0.0, 0.25, 0.75]]))
    for power, expected in ((0.5, 0.25), (1, 0.75 / 9)):
        scores = missing.LessPopular(study_data, likely, power).score([])[0]
        assert scores.tolist() == pytest.approx([0.0, 0.25, expected])


def test_models_stand_alone_and_in_ensembles(sample_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(missing, "TRAINED", ("text",))
    configs = {
        "popularity": {},
        "item_knn": {},
        "tfidf_knn": {"decay": 0.5},
        "item_knn+tfidf": {},
        "text": {"finetune.lr": 1e-3, "finetune.use_ids": False},
    }
    path = tmp_path / "configs.json"
    command = [
        str(sample_dataset), "--domain", "home", "--out", str(tmp_path), "--seeds", "1",
        "--finetune-epochs", "1",
    ]  # fmt: skip
    known = {name: {"settings": own} for name, own in configs.items() if name != "text"}
    path.write_text(json.dumps(known), encoding="utf-8")
    with pytest.raises(
        UserError, match="no chosen settings for text; run `msm4sr study tune` first"
    ):
        missing.main(command)
    path.write_text(json.dumps(known | {"text": {"settings": configs["text"]}}), encoding="utf-8")
    missing.main(command)
    rows = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()]
    beside = [f"text {what}" for what in ("+ tfidf_knn", "+ item_knn+tfidf")]
    divided = [f"text / interactions^{power}" for power in missing.POWERS]
    names = [f"| {name}" for name in (*configs, *beside, *divided)]
    assert rows[4 : 4 + len(names)] == names
    assert rows[-len(names) :] == names
    assert not (tmp_path / "access_log.json").exists()

    # All is kept, but not beyond a change of what is added.
    def again(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(missing, "ranks_of_model", again)
    missing.main(command)
    known["tfidf_knn"] = {"settings": {"decay": 0.8}}
    path.write_text(json.dumps(known | {"text": {"settings": configs["text"]}}), encoding="utf-8")
    with pytest.raises(AssertionError, match="trained again"):
        missing.main(command)
