"""What a command prints where: odd terminals and pipes, full disks, and data that is hostile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msm4sr_lite import cli
from msm4sr_lite.printable import UNPRINTABLE

HOSTILE = "a\x1b[31m\r\nb\u202ec\u2028d\ud800"
SCRIPT = """
import argparse, sys
from msm4sr_lite import cli
from msm4sr_lite.cli.common import show
from msm4sr_lite.config import UserError
from msm4sr_lite.progress import bar, say

def run(args):
    {body}

cli.run_command = run
sys.exit(cli.main(["doctor", *sys.argv[1:]]))
"""
SHOW = "show(args, {'name': 'ä中\U0001f600\\u202e\\ud800'}, 'ä中\U0001f600\\u202e\\ud800')"


def run(body: str, shell: str = "", *words: str, **environment: str):
    """Run a command whose work is ``body``; ``shell`` says where its output goes."""
    command = ["bash", "-c", f'"$0" "$@" {shell}', sys.executable, "-c"]
    command += [SCRIPT.format(body=body), *words]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "ä中\U0001f600\ufffd\ufffd\n"),
        ("ascii", r"\xe4\u4e2d\U0001f600\ufffd\ufffd" + "\n"),
    ],
)
def test_a_terminal_that_lacks_a_character_shows_its_number(encoding, shown):
    done = run(SHOW, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, "")
    done = run(SHOW, "", "--json", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"name": "ä中\U0001f600\u202e\ud800"}
    assert done.stdout.count("\n") == 1
    assert "\u202e" not in done.stdout


def test_where_names_are_ascii_files_of_other_scripts_are_found(tmp_path):
    folder = tmp_path / "日本"
    (folder / "images").mkdir(parents=True)
    (folder / "images/画像.png").write_bytes(b"x")
    item = {"item_id": "i", "title": "x", "image": "images/画像.png"}
    (folder / "items.jsonl").write_text(json.dumps(item))
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\nu,i,1\n")
    done = subprocess.run(
        [sys.executable, "-m", "msm4sr_lite", "check", folder],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        encoding="ascii",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"\u65e5\u672c")
    assert "is a file in" not in done.stdout


def test_marks_that_cannot_be_seen_are_written_as_numbers_in_json():
    done = run("show(args, 'a\\u200bb\\U000e0041')", "", "--json", PYTHONIOENCODING="utf-8")
    assert done.stdout == r'"a\u200bb\udb40\udc41"' + "\n"


@pytest.mark.parametrize(
    ("body", "shell", "code", "err"),
    [
        ("print('x' * 10**6)", "| head -c 1 >&2; exit ${PIPESTATUS[0]}", 0, "x"),
        ("print('x')", ">&-", 0, ""),
        ("print('x')", ">/dev/full", 2, "msm4sr doctor: No space left on device\n"),
        ("print('x' * 10**6)", ">/dev/full", 2, "msm4sr doctor: No space left on device\n"),
        ("raise UserError('x')", "2>&-", 2, ""),
        ("say('x'); list(bar([1], name='x', unit='x'))", "2>&-", 0, ""),
        ("print(sys.stdin)", "<&- >&2", 0, "None\n"),
    ],
)
def test_a_closed_pipe_or_a_full_disk_is_no_traceback(body, shell, code, err):
    if "/dev/full" in shell and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = run(body, shell)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", err)


@pytest.mark.parametrize("start", [f"raise UserError({HOSTILE!r})", f"say({HOSTILE!r})"])
def test_an_error_and_a_note_are_one_harmless_line(start):
    done = run(start)
    assert done.stdout == ""
    assert done.stderr.endswith("a\ufffd[31m b\ufffdc d\ufffd\n")
    assert done.stderr.count("\n") == 1


def test_a_hostile_column_name_does_not_reach_the_terminal(refused, tmp_path):
    (tmp_path / "items.jsonl").write_text('{"item_id": "i", "title": "x"}\n')
    header = "\x1b[31muser\x1b[0m\u202e,item_id,timestamp\nu,i,1\n"
    (tmp_path / "interactions.csv").write_text(header, encoding="utf-8")
    message = refused("check", tmp_path)
    assert "user" in message
    assert message[:-1].isprintable()


def test_a_hostile_argument_does_not_reach_the_terminal(msm4sr, refused):
    assert refused("check", HOSTILE)[:-1].isprintable()
    code, out, err = msm4sr("check", "x", HOSTILE)
    assert (code, out, err.count("\n"), err[:-1].isprintable()) == (2, "", 1, True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("no details"), "no details"),
        (PermissionError(13, "Permission denied", b"r\nuns"), "r uns: Permission denied"),
        (MemoryError(), "not enough memory; give"),
        (MemoryError("Unable to allocate 8 GiB"), "not enough memory (Unable to allocate 8 GiB)"),
        (RuntimeError("can't allocate memory\nby 9"), "not enough memory (can't allocate memory);"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "a name or a text"),
    ],
)
def test_what_is_missing_on_the_machine_is_one_line(error, said, refused, monkeypatch):
    def fail(args):
        raise error

    monkeypatch.setattr(cli, "run_command", fail)
    assert refused("doctor").startswith(f"msm4sr doctor: {said}")


ALL = """
import json, sys
from msm4sr_lite.cli import main
codes = []
for words in json.loads(sys.argv[1]):
    try:
        codes.append(main(words))
    except SystemExit as stop:
        codes.append(stop.code)
    print("\\f")
print(codes)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict"])
def test_commands_print_texts_of_other_scripts_in_a_narrow_encoding(encoding, toy, tmp_path):
    data = tmp_path / "日本"
    shutil.copytree(toy.data, data)
    items = (data / "items.jsonl").read_text("utf-8")
    title = "日本語 😀 – ä \\u001b[31m \\u202e \\u200b \\n $x"
    (data / "items.jsonl").write_text(items.replace("Thing", title), encoding="utf-8")
    model, features = ["--model", toy.run], ["--features", data / "features"]
    study = ["study", "main", data, "--quick", *features, "--models", "popularity,item_knn"]
    commands = [
        ["check", data],
        ["evaluate", data, *model],
        ["recommend", data, *model, "--user", "u1", "--why"],
        ["recommend", data, *model, "--user", "日", "--on-unknown-user", "popular"],
        ["recommend", data, *model, "--all-users", tmp_path / "日.csv"],
        ["plot", toy.run, "--out", tmp_path / "日.svg"],
        [*study, "--out", tmp_path / "研"],
        ["check", data, "--json"],
        ["recommend", data, *model, "--user", "u1", "--why", "--json"],
        ["run", "--help-all"],
    ]
    given = json.dumps([[str(word) for word in words] for words in commands])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALL, given],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "1", "TERM": "dumb"},
        capture_output=True,
        encoding=encoding.partition(":")[0],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *parts, codes = done.stdout.split("\f\n")
    assert codes == f"{[0] * len(commands)}\n", done.stderr
    assert r"\u65e5\u672c\u8a9e \U0001f600" in parts[2]
    assert json.loads(parts[7])["name"] == "日本"
    assert "日本語 😀 – ä \x1b[31m" in json.loads(parts[8])["recommendations"][0]["sentences"][0]
    assert not UNPRINTABLE.search("".join([*parts, done.stderr]))
