"""``msm4sr train-clip``: its settings, and what it prints."""

import json
import signal
import subprocess
import sys
import time

import pytest
from toy_images import labelled_folder

from msm4sr_lite.cli import main
from msm4sr_lite.cli import train_clip as command_module


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


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path, msm4sr):
    folder = labelled_folder(tmp_path / "labelled")
    out, command = tmp_path / "model", ["train-clip", str(folder), "--out"]
    settings = ("epochs=40", "patience=40", "batch_size=32", "image_size=32", "width=0.25")
    options = [option for setting in settings for option in ("--set", f"clip.{setting}")]
    process = subprocess.Popen(
        [sys.executable, "-m", "msm4sr_lite", *command, str(out), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    started = time.monotonic()
    while not list(tmp_path.glob("model.*.state")):
        assert process.poll() is None
        assert time.monotonic() - started < 300
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert "run the command again to resume" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert not out.exists()
    code, _, errors = msm4sr(*command, out, *options)
    assert code == 0
    assert "train-clip: going on after epoch " in errors
    assert msm4sr(*command, tmp_path / "whole", *options)[0] == 0
    weights = [(path / "model.safetensors").read_bytes() for path in (out, tmp_path / "whole")]
    assert weights[0] == weights[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labelled", "model", "whole"]


def test_a_stop_before_the_first_epoch_does_not_say_that_something_is_kept(
    tmp_path, monkeypatch, capsys
):
    def stop(*_, **__):
        raise KeyboardInterrupt(signal.SIGTERM)

    monkeypatch.setattr(command_module, "train_clip", stop)
    assert main(["train-clip", str(tmp_path), "--out", str(tmp_path / "model")]) == 143
    assert "finished work is kept, if any" in capsys.readouterr().err


def test_an_unknown_setting_and_an_empty_folder_are_refused(tmp_path, refused):
    command = ["train-clip", tmp_path, "--out", tmp_path / "model"]
    assert "did you mean 'clip.epochs'?" in refused(*command, "--set", "clip.epoch=1")
    assert "labels.csv" in refused(*command)
    assert not (tmp_path / "model").exists()
