"""The command itself: what is not the business of a single one."""

import os
import signal
import time

import pytest

from msm4sr_lite import __version__, cli
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import whole_folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rn", "x"], "unknown choice 'rn'; did you mean 'run'?"),
        (["xyzzy"], "unknown choice 'xyzzy'; choose from check, run, evaluate"),
        ([], "the following arguments are required: COMMAND"),
        (["check", "x", "y"], "unrecognized arguments: y"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(msm4sr, words, message):
    code, out, err = msm4sr(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"msm4sr {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("what is wrong"), 2, "msm4sr doctor: what is wrong\n"),
        (
            PermissionError(13, "Permission denied", "runs"),
            2,
            "msm4sr doctor: runs: Permis",
        ),
        (KeyboardInterrupt(), 130, "msm4sr doctor: stopped; finished work is kept"),
        (KeyboardInterrupt("x"), 130, "msm4sr doctor: stopped; finished work is kept"),
        (KeyboardInterrupt(15), 143, "msm4sr doctor: stopped; finished work is kept"),
    ],
)
def test_what_ends_a_command_is_one_line_and_a_code(error, code, said, msm4sr, monkeypatch):
    def fail(args):
        raise error

    monkeypatch.setattr(cli, "run_command", fail)
    found, out, err = msm4sr("doctor")
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(said)


def test_of_several_processes_another_than_the_first_names_itself(msm4sr, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    code, out, err = msm4sr("doctor")
    assert (code, out) == (2, "")
    assert err.startswith("msm4sr doctor (process 1): `doctor` runs in one process; torchrun")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug"), KeyError("a bug")])
def test_an_error_that_is_not_the_users_is_not_hidden(error, monkeypatch):
    def fail(args):
        raise error

    monkeypatch.setattr(cli, "run_command", fail)
    with pytest.raises(type(error), match="a bug"):
        cli.main(["doctor"])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_that_is_ended_removes_its_drafts(name, tmp_path, monkeypatch, capsys):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip(f"needs {name}, which Windows lacks")

    def command(args):
        with whole_folder(tmp_path / "out") as draft:
            (draft / "x").write_text("half")
            os.kill(os.getpid(), number)
            time.sleep(1)

    monkeypatch.setattr("msm4sr_lite.cli.doctor.run", command)
    inherited = signal.signal(number, signal.SIG_DFL)  # under nohup it would be ignored
    try:
        assert cli.main(["doctor"]) == 128 + number
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, inherited)
    assert "stopped; finished work is kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
