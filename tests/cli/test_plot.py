"""``msm4sr plot``: the training curves of a run."""

import json
import os
import subprocess
import sys

import matplotlib
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


def write_log(folder, recalls, best=True):
    lines = [
        {**EPOCH, "epoch": epoch, "recall@20": recall, "best": best, "seconds": 0.5 * epoch}
        for epoch, recall in enumerate(recalls, 1)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "finetuned_log.jsonl").write_text(text)


@pytest.mark.parametrize("recalls", [[0.1], [None], [None, None], [None, 0.2]])
@pytest.mark.parametrize("best", [True, False])
def test_epochs_without_validation_or_a_best_one_are_drawn(recalls, best, msm4sr, tmp_path):
    write_log(tmp_path, recalls, best)
    assert msm4sr("plot", tmp_path) == (0, f"{tmp_path / 'curves.png'}\n", "")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("name", "start"),
    [("x.svg", b"<?xml"), ("x.SVG", b"<?xml"), ("new/x.pdf", b"%PDF"), ("x.Png", b"\x89PNG")],
)
def test_the_ending_chooses_the_format_whatever_matplotlib_is_set_to(
    name, start, msm4sr, tmp_path, monkeypatch
):
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    write_log(tmp_path, [0.1])
    assert msm4sr("plot", tmp_path, "--out", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.jpg", "x.jpg: the file name must end in .png, .svg, .pdf"),
        ("x", "x: the file name must end in"),
        ("", "the file name must end in"),
        ("folder.png", "folder.png: is a folder; give the name of a file"),
        ("finetuned_log.jsonl/x.png", "x.png: cannot be written"),
    ],
)
def test_an_image_that_cannot_be_written_is_refused(name, message, refused, tmp_path):
    write_log(tmp_path, [0.1])
    (tmp_path / "folder.png").mkdir()
    said = refused("plot", tmp_path, "--out", tmp_path / name)
    assert message in said
    assert "draft" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["finetuned_log.jsonl", "folder.png"]


def test_folders_where_matplotlib_cannot_write_are_not_mentioned(tmp_path):
    write_log(tmp_path, [0.1])
    file = tmp_path / "file"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-m", "msm4sr_lite", "plot", tmp_path],
        env={**os.environ, "HOME": str(file), "MPLCONFIGDIR": str(file / "x")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'curves.png'}\n", "")


def test_a_backend_that_does_not_exist_is_one_line(tmp_path):
    write_log(tmp_path, [0.1])
    done = subprocess.run(
        [sys.executable, "-m", "msm4sr_lite", "plot", tmp_path],
        env={**os.environ, "MPLBACKEND": "nonsense"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "correct MPLBACKEND" in done.stderr


def test_without_matplotlib_the_extra_is_named(toy, refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "curves.png"
    message = "plot needs matplotlib: pip install 'msm4sr_lite[course]'"
    assert message in refused("plot", toy.run, "--out", out)
    assert not out.exists()
