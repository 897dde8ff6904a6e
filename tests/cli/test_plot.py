"""``msm4sr plot``: the training curves of a run."""

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


def test_without_matplotlib_the_extra_is_named(toy, refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "curves.png"
    message = "plot needs matplotlib: pip install 'msm4sr_lite[course]'"
    assert message in refused("plot", toy.run, "--out", out)
    assert not out.exists()
