"""Progress goes to stderr: a bar on a terminal, a line now and then elsewhere."""

import sys

import pytest

from msm4sr_lite import progress
from msm4sr_lite.progress import bar, say


def test_short_work_prints_nothing_off_a_terminal(capsys):
    assert list(bar(range(50), name="work", unit="step")) == list(range(50))
    assert capsys.readouterr() == ("", "")


def test_long_work_prints_a_line_now_and_then_off_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with bar(name="work", unit="step", total=3) as steps:
        for _ in range(3):
            steps.update()
            steps.refresh()
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r" not in err
    assert all(line.startswith("work: ") for line in err.splitlines())
    assert "3/3" in err.splitlines()[-1]
    assert len(err.splitlines()) >= 3


def test_on_a_terminal_it_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with bar(range(3), name="work", unit="step") as steps:
        list(steps)
    err = capsys.readouterr().err
    assert "\rwork: 100%" in err


def test_a_line_does_not_break_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with bar(range(3), name="work", unit="step"):
        say("note")
    assert "note\n" in capsys.readouterr().err


@pytest.mark.parametrize("rank", ["0", "1"])
def test_of_several_processes_the_first_prints(rank, capsys, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    list(bar(range(3), name="work", unit="step"))
    say("note")
    out, err = capsys.readouterr()
    assert out == ""
    assert ("note" in err, "work" in err) == (rank == "0", rank == "0")


def test_names_and_notes_from_data_are_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    list(bar(range(3), name="wo\x1b[31m\nrk", unit="step"))
    say("no\x1b[31m\nst\u202e")
    err = capsys.readouterr().err
    assert "wo\ufffd[31m rk: 100%" in err
    assert err.endswith("no\ufffd[31m st\ufffd\n")
