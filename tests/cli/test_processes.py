"""Commands that are stopped, that run under torchrun, and the picture of a training."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from msm4sr_lite.cli import main
from tests.toys import save_table, toy_dataset, toy_table

SMALL = ["--dim", "8", "--ffn-dim", "8", "--patience", "999"]


@pytest.fixture
def dataset(tmp_path):
    """A shop that brings its features."""
    folder = toy_dataset(tmp_path / "dataset", users=60, items=40)
    names = [f"i{number}" for number in range(40)]
    save_table(toy_table([2] * 40, [1] * 40, items=names), folder / "features")
    return folder


def epochs(folder):
    log = folder / "pretrained_log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def start(dataset, out, *options, processes=1):
    """Start a pre-training as a command of its own."""
    python = [sys.executable, "-m"]
    if processes > 1:
        python += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command = [
        *python,
        "msm4sr_lite",
        "pretrain",
        str(dataset),
        "--out",
        str(out),
        *SMALL,
        *options,
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_epoch(process, out, epoch):
    end = time.monotonic() + 300
    while len(epochs(out)) < epoch:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def results(folder):
    """What a training has found, without its times; and its weights."""
    lines = [{k: v for k, v in line.items() if k not in ("seconds", "parts")} for line in epochs(folder)]  # fmt: skip  # noqa: E501
    return lines, (folder / "pretrained/model.safetensors").read_bytes()


@pytest.mark.slow
def test_ctrl_c_keeps_the_state_and_the_command_goes_on(dataset, tmp_path):
    options = ["--epochs", "40", "--batch-size", "64"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main(["pretrain", str(dataset), "--out", str(whole), *SMALL, *options]) == 0
    process = start(dataset, stopped, *options)
    wait_for_epoch(process, stopped, 3)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=400)[1]
    assert process.returncode == 130
    assert told.splitlines()[-1].endswith("run it again to go on")
    assert "Traceback" not in told
    done = len(epochs(stopped))
    assert 3 <= done < 40
    (state,) = stopped.glob("pretrained.*.state")
    assert not list(stopped.glob(".*")), "nothing half-written"
    assert main(["pretrain", str(dataset), "--out", str(stopped), *SMALL, *options]) == 0
    assert results(stopped) == results(whole)
    assert not state.exists()


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_it_goes_on(dataset, tmp_path):
    options = ["--epochs", "30"]
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = start(dataset, out, *options, processes=2)
    wait_for_epoch(process, out, 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    second = [c for c in children if b"\0RANK=1\0" in Path(f"/proc/{c}/environ").read_bytes()]
    os.kill(int(second[0]), signal.SIGKILL)
    told = process.communicate(timeout=400)[1]
    assert process.returncode != 0
    assert len(epochs(out)) < 30
    assert list(out.glob("pretrained.*.state"))
    assert not (out / "pretrained").exists()
    assert "another process of this run has ended" in told or "run it again to go on" in told

    for folder in (out, whole):
        process = start(dataset, folder, *options, processes=2)
        told = process.communicate(timeout=400)[1]
        assert process.returncode == 0, told
    assert len(epochs(out)) == 30
    assert results(out) == results(whole)


@pytest.mark.slow
def test_two_processes_evaluate_as_one(dataset, tmp_path, capsys):
    out, asked = tmp_path / "out", ["evaluate", str(dataset), "--filter-seen", "both", "--json"]
    options = ["--out", str(out), *SMALL[:4], "--epochs", "2"]
    assert main(["pretrain", str(dataset), *options]) == 0
    assert main(["finetune", str(dataset), "--out", str(out), "--epochs", "2"]) == 0
    asked += ["--model", str(out / "finetuned")]
    capsys.readouterr()
    assert main(asked) == 0
    alone = json.loads(capsys.readouterr().out)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "msm4sr_lite", *asked]
    together = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert together.returncode == 0, together.stderr
    assert json.loads(together.stdout) == alone


def test_torchrun_is_for_training_and_evaluation(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["run", str(dataset), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "under torchrun there are pretrain, finetune, evaluate" in told
    assert not (tmp_path / "out").exists()


def test_the_log_tells_parts_and_the_plot_draws_them(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["plot", str(out)]) == 2
    assert "no log of a training in this folder" in capsys.readouterr().err
    assert main(["pretrain", str(dataset), "--out", str(out), *SMALL, "--epochs", "3"]) == 0
    lines = epochs(out)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert set(line["parts"]) == {"nip_text", "nip_image", "cmcl"}
        total = line["parts"]["nip_text"] + line["parts"]["nip_image"]
        assert line["loss"] == pytest.approx(total + 0.01 * line["parts"]["cmcl"], abs=1e-4)
        assert line["targets"] == 60 * 3
    assert main(["finetune", str(dataset), "--out", str(out), "--epochs", "2"]) == 0
    capsys.readouterr()
    assert main(["plot", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"] == ["pretrained", "finetuned"]
    with Image.open(out / "curves.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("L").getcolors()) > 50
    assert not list(out.glob(".*"))


def test_a_folder_that_cannot_be_written_to_is_one_line(dataset, tmp_path, capsys):
    (tmp_path / "out").write_text("a file stands where the run folder should be")
    command = ["pretrain", str(dataset), "--out", str(tmp_path / "out"), *SMALL, "--epochs", "1"]
    assert main(command) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "out: " in told[0]
