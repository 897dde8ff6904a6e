"""Every command that a page, a notebook, a message or a docstring names is one that works.

What a page shows in a block runs in ``test_docs_run.py``. Here are the others, which name data of
the reader's, or take hours: the program's own parser must take their arguments.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_docs_run import blocks_of, commands_of, run_module
from test_texts import (
    FLAG,
    MASTERS,
    SPAN,
    code,
    flags_of,
    parsers,
    text_of,
)

import run
from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.config import Config
from msm4sr_lite.features.clip.training import ClipConfig
from msm4sr_lite.settings import fields_by_name
from msm4sr_lite.study.config import StudyConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data_samples/*/README.md")]
PAGES = [path for path in PAGES if path.name not in ("log.md", "CHANGELOG.md")]  # earlier commands
SOURCES = [ROOT / "run.py", *ROOT.glob("tests/mutat*.py"), *ROOT.glob("tests/robustness/[!t]*.py")]
for _folder in ("msm4sr_lite", "notebooks/course", "data_samples/make", "benchmarks"):
    SOURCES += (ROOT / _folder).rglob("*.py")
OTHERS = ("environment.yml", "constraints.txt", "requirements-minilm.txt", ".binder/postBuild")
OTHERS += (".ci/run", ".devcontainer/devcontainer.json", ".github/workflows/ci.yml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Programs of others that we cannot start here, and why.
NOT_OURS = {
    "git": "changes the repository, or fetches one",
    "conda": "is no part of a Python environment",
    "uv": "is no part of a Python environment",
    "sudo": "changes the system",
    "pre-commit": "changes the checkout",
    "source": "is part of a shell, as are cd, export, cp and ls",
    "cd": "see source",
    "export": "see source",
    "cp": "see source",
    "ls": "see source",
    "pyproject-build": "is installed for a release only, as are twine and cffconvert",
    "twine": "see pyproject-build",
    "cffconvert": "see pyproject-build",
}
TOOLS = {"build", "twine", "cffconvert", "uv"}  # of a release and of CI
BEFORE = re.compile(r"^[ #]*(?:cd notebooks; |- run: |- if: .*|run: |\"postCreateCommand\": \")?")
BRACKETS = re.compile(r"(?<= )\[|(?<=[\w.])\](?= |$)|(?<= )\.\.\.(?=[ \]]|$)")
START = re.compile(
    r"(?:[\w./-]*/)?(?:msm4sr [a-z]|python3? -|python3? run\.py|pip install |torchrun )"
)
PIP = re.compile(r"(?<!uv )pip install (?:-\S+ )*['\"]?[\w./-]+(?:\[\w+\])?['\"]?")


def strings(source: str) -> Iterator[str]:
    """Yield the texts in Python code, with 1 for what is filled in while it runs."""
    tree = ast.parse(source)
    filled = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    within = {id(part) for node in filled for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in within:
            parts = (getattr(part, "value", "") for part in node.values)
            yield "".join(part if isinstance(part, str) else "1" for part in parts)
        elif isinstance(node, ast.Constant) and id(node) not in within:
            yield node.value if isinstance(node.value, str) else ""


def pieces_of(text: str) -> list[str]:
    """Return the commands in a message, a docstring or comments."""
    text = text.replace("``", "`").replace("\\\n", " ")
    lines = [BEFORE.sub("", line).removesuffix('",').strip() for line in text.splitlines()]
    spans = [" ".join(span.split()) for span in SPAN.findall(text)]
    found = [piece for piece in (*lines, *spans) if START.match(piece)]
    return found + [piece for line in lines if line not in found for piece in PIP.findall(line)]


def printed() -> dict[str, set[str]]:
    """Return all commands, each with the files that name it."""
    found: dict[str, set[str]] = {}

    def note(path: Path, pieces: list[str]) -> None:
        for piece in pieces:
            if START.match(piece):
                found.setdefault(piece, set()).add(path.relative_to(ROOT).as_posix())

    for path in (*PAGES, *MASTERS):
        note(path, code(text_of(path)))
    for path in (*SOURCES, *MASTERS):
        for text in strings(path.read_text(encoding="utf-8")):
            note(path, pieces_of(text))
    for name in OTHERS:
        note(ROOT / name, pieces_of((ROOT / name).read_text(encoding="utf-8")))
    return found


class Parsed(Exception):
    """The arguments were accepted."""


def parse_module(module: str, arguments: list[str]) -> None:
    """Let ``python -m module`` parse arguments, and stop it there."""

    def stop_after(parse: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            parse(*args, **kwargs)
            raise Parsed

        return wrapped

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Parsed):
        for name in ("parse_args", "parse_intermixed_args"):
            patch.setattr(
                argparse.ArgumentParser, name, stop_after(getattr(argparse.ArgumentParser, name))
            )
        run_module(module, arguments)
        raise AssertionError(f"python -m {module} read no arguments")


def check_pip(words: list[str]) -> None:
    """Check the files, extras and packages that ``pip install`` is given."""
    extras = PROJECT["optional-dependencies"]
    known = {
        canonicalize_name(Requirement(text).name)
        for text in sum(extras.values(), PROJECT["dependencies"])
    }
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word in ("-r", "-c"):
            assert (ROOT / waiting.pop(0)).is_file()
        elif word == "--index-url":
            assert waiting.pop(0) == run.CPU_INDEX
        elif word.startswith("-"):
            assert word in ("-e", "--no-deps", "--quiet"), word
        elif word.endswith(".whl"):
            assert word == "build/release/dist/*.whl"  # release.md makes it
        else:
            name, _, some = word.rstrip("]").partition("[")
            assert {*filter(None, some.split(","))} <= extras.keys() | {"1"}, word
            ours = name in (".", "./msm4sr-course", PROJECT["name"], "1")
            assert ours or canonicalize_name(name) in known | TOOLS, word


def parse(piece: str) -> None:
    """Raise if a command does not exist, or does not take its arguments."""
    plain = BRACKETS.sub("", piece.replace("[the same settings]", ""))
    words = shlex.split(plain, comments=True)
    program, *rest = [Path(words[0]).name, *words[1:]]
    if program == "torchrun":  # "..." stands for the command
        rest = rest[rest.index("-m") :] if "-m" in rest else ["-m", "msm4sr_lite"]
    if rest[:2] == ["-m", "msm4sr_lite"]:
        program, rest = "msm4sr", rest[2:]
    if rest[:2] == ["-m", "pip"]:
        program, rest = "pip", rest[2:]
    if program == "msm4sr":
        assert rest[:1] == [] or rest[0] in parsers() or rest[0].startswith("-"), rest
        if rest and not rest[0].startswith("-"):
            assert set(FLAG.findall(" ".join(rest))) <= flags_of(rest[0]), piece
        if rest[1:] and not rest[1].startswith("-"):  # more than a command and flags of it
            named = rest[0] == "study" and len(rest) == 2
            build_parser().parse_args([*rest, *["DATA"] * named])
    elif program == "pip":
        assert rest[0] == "install"
        check_pip(rest[1:])
    elif rest[0] == "run.py":
        run.parse([word.rstrip("1") for word in rest[1:]])  # as in `run.py setup{flags}`
    elif rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]), rest[1]
        if rest[1].split(".")[0] in ("benchmarks", "course", "data_samples", "tests") and rest[2:]:
            parse_module(rest[1], rest[2:])
    else:
        assert rest[0] in ("-P", "-c"), piece


@pytest.mark.thorough
def test_every_command_is_taken_by_its_program() -> None:
    found = printed()
    assert len(found) > 100
    problems = {}
    for piece, files in found.items():
        try:
            with contextlib.redirect_stderr(io.StringIO()) as shown:
                parse(piece)
        except (SystemExit, AssertionError, ValueError, IndexError) as error:
            problems[piece] = (sorted(files), f"{error} {shown.getvalue()[-200:]}")
    assert problems == {}


def test_every_program_in_a_block_is_ours_or_has_a_reason() -> None:
    for path in PAGES:
        for block in blocks_of(path.read_text(encoding="utf-8")):
            for words in commands_of(block) if block.kind == "shell" else []:
                program = next(word for word in words if "=" not in word).rpartition("/")[2]
                ours = program in ("msm4sr", "python", "python3", "pip", "torchrun")
                assert ours or program in NOT_OURS, f"{path.name}: {program}"


def test_flags_and_settings_in_messages_exist() -> None:
    known = {flag for command in parsers() for flag in flags_of(command)} | {"--version"}
    names = {*fields_by_name(Config), *fields_by_name(ClipConfig), *fields_by_name(StudyConfig)}
    seen = 0
    for path in (ROOT / "msm4sr_lite").rglob("*.py"):
        for text in strings(path.read_text(encoding="utf-8")):
            if "Parameters\n" in text or "Attributes\n" in text or "Return " in text:
                continue  # a docstring
            flags = FLAG.findall(text)
            seen += len(flags)
            assert set(flags) <= known, (path.name, text)
            assert set(re.findall(r"--set ([a-z]\w*\.\w+)", text)) <= names, (path.name, text)
    assert seen > 100


@pytest.mark.thorough
@pytest.mark.parametrize("extra", ["course", "parquet"])
def test_pip_finds_the_extras_that_messages_name(extra: str) -> None:
    """Without an index: here all is installed already, and pip must say so."""
    if not any(metadata.distributions(name="msm4sr_lite")):
        pytest.skip("msm4sr_lite is imported from the checkout, pip does not know it")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index"]
    command += [f"msm4sr_lite[{extra}]"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "does not provide the extra" not in done.stderr


@pytest.mark.parametrize(
    "piece",
    [
        "msm4sr rnu DATA",
        "msm4sr run DATA --outt RUN",
        "msm4sr run --outt",
        "msm4sr doctor now",
        "python run.py lap",
        "python -m benchmarks.nothing",
        "python -m course.notebooks bild",
        "python -m jupyterr",
        "pip install 'msm4sr_lite[courses]'",
        "pip install sentence-transformers",
        "pip install -r requirements.txt",
    ],
)
def test_a_command_that_does_not_work_is_noticed(piece: str) -> None:
    assert START.match(piece)
    with pytest.raises((SystemExit, AssertionError)):
        parse(piece)


def test_commands_are_found_in_messages_and_docstrings() -> None:
    source = (
        """raise Error(f"{path}: run `msm4sr features {data} --out R`, or pip install 'a[b]'")"""
    )
    (text,) = [text for text in strings(source) if text]
    assert pieces_of(text) == ["msm4sr features 1 --out R", "pip install 'a[b]'"]
    assert pieces_of("What.\n\n    python -m a \\\n  --b\n\n``python -m c\nd``") == [
        "python -m a    --b",
        "python -m c d",
    ]
