"""``msm4sr plot``: the training curves of a run."""

import json
import sys

import pytest
from PIL import Image


@pytest.mark.thorough
def test_the_curves_of_both_stages_are_drawn(toy, json_of, tmp_path):
    out = tmp_path / "curves.png"
    found = json_of("plot", toy.run, "--out", out)
    assert found == {"image": str(out), "stages": ["pretrained", "finetuned"]}
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert len(image.convert("L").getcolors()) > 50
    assert not list(tmp_path.glob(".*"))


def test_a_folder_without_a_log_is_refused(refused, tmp_path):
    assert "no training log in this folder" in refused("plot", tmp_path)
    (tmp_path / "pretrained_log.jsonl").write_text("{")
    assert "pretrained_log.jsonl: cannot be read" in refused("plot", tmp_path)


EPOCH = {"step": 5, "loss": 1.0, "parts": {"ranking": 1.0}, "targets": 10}


@pytest.mark.parametrize("recalls", [[0.1], [None], [None, None], [None, 0.2]])
@pytest.mark.parametrize("best", [True, False])
def test_epochs_without_validation_or_a_best_one_are_drawn(recalls, best, msm4sr, tmp_path):
    lines = [
        {**EPOCH, "epoch": epoch, "recall@20": recall, "best": best, "seconds": 0.5 * epoch}
        for epoch, recall in enumerate(recalls, 1)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "finetuned_log.jsonl").write_text(text)
    assert msm4sr("plot", tmp_path) == (0, f"{tmp_path / 'curves.png'}\n", "")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"


def test_without_matplotlib_the_extra_is_named(toy, refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "curves.png"
    message = "plot needs matplotlib: pip install 'msm4sr_lite[course]'"
    assert message in refused("plot", toy.run, "--out", out)
    assert not out.exists()
