"""Commands that are stopped, and commands of several processes under torchrun."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_commands import MODEL, dataset_with_features, read_log

from msm4sr_lite.cli import main


@pytest.fixture
def dataset(tmp_path):
    """A dataset with its features."""
    return dataset_with_features(tmp_path / "dataset")


def pretraining(dataset, out, *options):
    """Return the words of a pre-training that does not stop early."""
    options = [*MODEL, "--set", "pretrain.patience=999", *options]
    features = ["--features", str(dataset / "features")]
    return ["pretrain", str(dataset), "--out", str(out), *features, *options]


def start(command, processes=1):
    """Start a command in a process of its own, or in several."""
    python = [sys.executable, "-m"]
    if processes > 1:
        python += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    command = [*python, "msm4sr_lite", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def wait_for_epoch(process, out, epoch):
    end = time.monotonic() + 300
    while len(read_log(out)) < epoch:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def results(folder):
    """Return what a training has found, without its times; and its weights."""
    untimed = ("seconds", "parts")
    lines = [{k: v for k, v in line.items() if k not in untimed} for line in read_log(folder)]
    return lines, (folder / "pretrained/model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_training_keeps_its_state_and_resumes(number, dataset, tmp_path):
    options = ["--set", "pretrain.epochs=40", "--set", "pretrain.batch_size=64"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main(pretraining(dataset, whole, *options)) == 0
    process = start(pretraining(dataset, stopped, *options))
    wait_for_epoch(process, stopped, 3)
    process.send_signal(number)
    errors = process.communicate(timeout=400)[1]
    assert process.returncode == 128 + number
    assert errors.splitlines()[-1].endswith("run the command again to resume")
    assert "Traceback" not in errors
    assert 3 <= len(read_log(stopped)) < 40
    (state,) = stopped.glob("pretrained.*.state")
    assert not list(stopped.glob(".*")), "nothing half-written"
    assert main(pretraining(dataset, stopped, *options)) == 0
    assert results(stopped) == results(whole)
    assert not state.exists()


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_leaves_nothing_half_written(dataset, tmp_path):
    options = ["--set", "pretrain.epochs=4000", "--set", "pretrain.batch_size=64"]
    process = start(pretraining(dataset, tmp_path / "out", *options))
    wait_for_epoch(process, tmp_path / "out", 2)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    errors = process.communicate(timeout=400)[1]
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not list((tmp_path / "out").glob(".*"))
    again = start(pretraining(dataset, tmp_path / "out", *options))
    wait_for_epoch(again, tmp_path / "out", len(read_log(tmp_path / "out")) + 1)
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=400)
    assert again.returncode == 130


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_it_resumes(dataset, tmp_path):
    options = ["--set", "pretrain.epochs=30"]
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = start(pretraining(dataset, out, *options), processes=2)
    wait_for_epoch(process, out, 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    second = [c for c in children if b"\0RANK=1\0" in Path(f"/proc/{c}/environ").read_bytes()]
    os.kill(int(second[0]), signal.SIGKILL)
    errors = process.communicate(timeout=400)[1]
    assert process.returncode != 0
    assert len(read_log(out)) < 30
    assert list(out.glob("pretrained.*.state")), errors
    assert not (out / "pretrained").exists()
    stopped = "another process of this run has ended" in errors
    assert stopped or "run the command again to resume" in errors

    for folder in (out, whole):
        process = start(pretraining(dataset, folder, *options), processes=2)
        errors = process.communicate(timeout=400)[1]
        assert process.returncode == 0, errors
    assert len(read_log(out)) == 30
    assert results(out) == results(whole)


@pytest.mark.slow
def test_two_processes_evaluate_as_one(toy, json_of):
    command = ["evaluate", str(toy.data), "--model", str(toy.run / "finetuned")]
    command += ["--filter-seen", "both"]
    alone = json_of(*command)
    process = start([*command, "--json"], processes=2)
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    assert json.loads(output) == alone
