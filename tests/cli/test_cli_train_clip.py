"""``msm4sr train-clip``: its settings, and what it prints."""

import json

import pytest
from toy_images import labelled_folder

from msm4sr_lite.cli import main


@pytest.mark.thorough
def test_the_command(tmp_path, capsys):
    folder = labelled_folder(tmp_path / "labelled")
    out = str(tmp_path / "model")
    command = ["train-clip", str(folder), "--out", out, "--json"]
    for setting in ("epochs=1", "batch_size=64", "image_size=32", "width=0.25"):
        command += ["--set", f"clip.{setting}"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["columns"] == ["colour", "shape"]
    assert "label columns colour, shape: 6 words" in printed.err
    assert main(["train-clip", str(folder), "--out", out]) == 2
    assert "already exists" in capsys.readouterr().err


def test_an_unknown_setting_and_an_empty_folder_are_refused(tmp_path, refused):
    command = ["train-clip", tmp_path, "--out", tmp_path / "model"]
    assert "did you mean 'clip.epochs'?" in refused(*command, "--set", "clip.epoch=1")
    assert "labels.csv" in refused(*command)
    assert not (tmp_path / "model").exists()
