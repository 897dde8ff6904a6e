"""The code blocks of README and docs run, or a comment above them gives the reason why not.

The blocks of a page run in the order of the page: Python in one namespace, shell commands in this
process, all of them in a temporary folder with the samples and some small files (``prepare``).
Presets train one epoch. A block that cannot run here has a comment before it, which readers of the
page do not see: ``<!-- not run: REASON -->``. Its commands are parsed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import shlex
import shutil
import sys
import textwrap
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import published_files
import pytest
from published_files import MOVIES, json_lines, review, write
from small_commands import dataset_with_features

from msm4sr_lite import cli, presets
from msm4sr_lite.cli.commands import build_parser

ROOT = Path(__file__).resolve().parents[1]
NOT_COVERED = ("log.md",)  # commands of earlier code; those of docs/studies take hours
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in NOT_COVERED]
PAGES += [
    path for name in ("api", "course") for path in sorted((ROOT / "docs" / name).glob("*.md"))
]
PAGES += sorted(ROOT.glob("data_samples/*/README.md"))

FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1``` *$", re.M | re.S)
NOT_RUN = re.compile(r"<!--\s*not run:\s*(\S[^>]*?)\s*-->\s*\Z")
PROGRAMS = (
    "msm4sr|msm4sr_lite|python3?|pip3?|torchrun|git|cd|export|uv|conda|source|pre-commit|pytest"
)
COMMAND = re.compile(rf"^\s*(?:\$ )?(?:[A-Z_]\w*=\S+ +)*(?:[\w./]*/)?(?:{PROGRAMS})(?: |$)", re.M)
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
SHELL = ("sh", "bash", "console")
DATA = ("text", "json", "jsonl", "csv", "toml", "yaml", "bibtex")  # to be read, not to be run


@dataclass
class Block:
    """A fenced block: its kind, its text, the lines above it, and why it does not run."""

    kind: str
    text: str
    above: int
    reason: str


def kind_of(language: str, text: str) -> str:
    """Return "python", "shell", "data", "site" (a directive of the site) or "unknown".

    Without a language, or as text, a block with a command in it is a shell block all the same.
    """
    if language == "python":
        return "python"
    if language in SHELL or (language in ("", "text") and COMMAND.search(text)):
        return "shell"
    if language.startswith("{") and not language.startswith("{code"):
        return "site"
    return "data" if language in ("", *DATA) else "unknown"


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    found = []
    for fence in FENCE.finditer(page):
        text = textwrap.dedent(fence[3])
        reason = NOT_RUN.search(page[: fence.start()])
        above = page.count("\n", 0, fence.start(3))
        kind = kind_of(fence[2].strip(), text)
        found.append(Block(kind, text, above, reason[1] if reason else ""))
    return found


def commands_of(block: Block) -> list[list[str]]:
    """Return the words of each command of a shell block, without prompts and comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    found = [shlex.split(line.strip().removeprefix("$ "), comments=True) for line in lines]
    return [words for words in found if words]


def msm4sr_arguments(words: list[str]) -> list[str] | None:
    """Return the arguments of ``msm4sr``, None if a command starts something else."""
    if Path(words[0]).name == "msm4sr":
        return words[1:]
    at = [n for n in range(len(words) - 1) if words[n : n + 2] == ["-m", "msm4sr_lite"]]
    return words[at[0] + 2 :] if at else None


def problems_of(page: str) -> list[str]:
    """Return what makes a block neither runnable nor excused."""
    problems = []
    for block in blocks_of(page):
        if block.kind == "unknown":
            problems.append(f"{block.above}: no such language; use python, sh, text or json")
        if block.kind == "shell" and not block.reason:
            for words in commands_of(block):
                if msm4sr_arguments(words) is None and words[:2] != ["python", "-m"]:
                    problems.append(f"{block.above}: only msm4sr and python -m run: {words[0]}")
                if {"|", "&&", ";", ">"} & set(words):
                    problems.append(f"{block.above}: one plain command a line: {words[0]}")
    indented = re.compile(COMMAND.pattern.replace(r"^\s*", r"^ {4,}", 1), re.M)
    for found in indented.finditer(FENCE.sub(lambda f: "\n" * f[0].count("\n"), page)):
        problems.append(f"{page.count(chr(10), 0, found.start()) + 1}: put the command in a fence")
    return problems


def not_parsed(page: str) -> list[str]:
    """Return the commands of blocks that do not run which the command line refuses."""
    wrong = []
    for block in blocks_of(page):
        for words in commands_of(block) if block.kind == "shell" and block.reason else []:
            arguments = msm4sr_arguments(words)
            if arguments is not None and "..." not in arguments:
                try:
                    with contextlib.redirect_stderr(io.StringIO()):
                        build_parser().parse_args(arguments)
                except SystemExit as stop:
                    wrong += [shlex.join(words)] if stop.code else []
    return wrong


def help_of(module: str) -> str:
    """Return the help of ``python -m module``."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        run_module(module, ["--help"])
    return shown.getvalue()


def run_module(module: str, arguments: list[str]) -> None:
    """Do what ``python -m module`` does, in this process."""
    before = sys.argv
    sys.argv = [module, *arguments]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the module may be loaded already
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = None
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = before
    assert not code, f"python -m {module} ended with {code}"


def run_command(words: list[str]) -> None:
    arguments = msm4sr_arguments(words)
    if arguments is None:
        run_module(words[2], words[3:])
        return
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert not code, f"{shlex.join(words)} ended with {code}"


def prepare(folder: Path) -> None:
    """Write what pages name: the samples, a dataset ``my_data``, ``downloads``, ``returned``."""
    shutil.copytree(ROOT / "data_samples", folder / "data_samples")
    interactions = dataset_with_features(folder / "my_data") / "interactions.csv"
    text = interactions.read_text(encoding="utf-8")
    interactions.write_text(re.sub(r"^u1,", "4711,", text, flags=re.M), encoding="utf-8")
    downloads = write(
        folder / "downloads",
        Prime_Pantry_5__json__gz=json_lines(review(), review(item="A2")),
        meta_Prime_Pantry__json__gz=json_lines({"asin": "A1", "title": "Tea"}),
        All_Beauty__jsonl__gz=json_lines(
            {"user_id": "u", "parent_asin": "B", "timestamp": 1_500_000_000_000, "rating": 5.0}
        ),
        meta_All_Beauty__jsonl__gz=json_lines({"parent_asin": "B", "title": "Soap"}),
    )
    write(downloads / "ml-1m", **MOVIES["1m"])
    write(
        downloads / "ml-100k",
        ml_100k__inter="user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n",
        ml_100k__item="item_id:token\tmovie_title:token_seq\n2\tToy Story\n",
    )
    published_files.hm(folder).rename(downloads / "hm")
    cells = [{"cell_type": "code", "source": 'from course import check\ncheck("04.share", 0.25)'}]
    (folder / "returned" / "ann").mkdir(parents=True)
    returned = json.dumps({"cells": cells})
    (folder / "returned" / "ann" / "04.ipynb").write_text(returned, encoding="utf-8")


def has_something_to_run(path: Path) -> bool:
    found = blocks_of(path.read_text(encoding="utf-8"))
    return any(block.kind in ("python", "shell") and not block.reason for block in found)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_every_block_runs_or_says_why_not(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert problems_of(page) == []
    assert not_parsed(page) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path", [path for path in PAGES if has_something_to_run(path)], ids=page_id
)
def test_the_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name, preset in presets.PRESETS.items():
        stages = {"pretrain": preset.pretrain, "finetune": preset.finetune}
        short = {stage: replace(settings, epochs=1) for stage, settings in stages.items()}
        monkeypatch.setitem(presets.PRESETS, name, replace(preset, **short))
    namespace = {"__name__": path.stem}
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.reason:
            continue
        if block.kind == "python":  # with the line numbers of the page
            exec(compile("\n" * block.above + block.text, str(path), "exec"), namespace)
        for words in commands_of(block) if block.kind == "shell" else []:
            run_command(words)


@pytest.mark.thorough
def test_our_modules_know_the_flags_of_commands_that_do_not_run() -> None:
    wanted: dict[str, set[str]] = {}
    for path in PAGES:
        for block in blocks_of(path.read_text(encoding="utf-8")):
            for words in commands_of(block) if block.kind == "shell" and block.reason else []:
                module = words[words.index("-m") + 1] if "-m" in words else ""
                if module.startswith(("benchmarks.", "data_samples.", "course.")):
                    wanted.setdefault(module, set()).update(FLAG.findall(" ".join(words)))
    assert wanted
    unknown = {
        module: flags - set(FLAG.findall(help_of(module))) for module, flags in wanted.items()
    }
    assert {module: flags for module, flags in unknown.items() if flags} == {}


def test_blocks_and_their_reasons_are_found() -> None:
    page = "a\n```python\nx\n```\n- b\n\n  ```sh\n  msm4sr run A \\\n    --out B  # c\n  ```\n\n"
    page += "<!-- not run: takes\nhours -->\n\n```\n$ python -m a --b\n```\n\n```\nmy_data/\n```\n"
    page += "```{toctree}\na\n```\n"
    found = blocks_of(page)
    assert [block.kind for block in found] == ["python", "shell", "shell", "data", "site"]
    assert [block.reason for block in found] == ["", "", "takes\nhours", "", ""]
    assert found[0].above == 2
    assert [commands_of(block) for block in found[1:3]] == [
        [["msm4sr", "run", "A", "--out", "B"]],
        [["python", "-m", "a", "--b"]],
    ]
    assert problems_of(page) == []


@pytest.mark.parametrize(
    "page",
    [
        "```\npython run.py lab\n```\n",
        "```text\n.venv/bin/pip install x\n```\n",
        "```sh\nmsm4sr doctor | more\n```\n",
        "```sh\nfancy\n```\n",
        "```ruby\nx\n```\n",
        "```{code-block} python\nx\n```\n",
        "a\n\n    PYTHONPATH=x python -m benchmarks.features\n",
        "<!-- not run: -->\n```\ngit tag\n```\n",
        "<!-- not run: a reason for another block -->\na\n```\ngit tag\n```\n",
    ],
)
def test_a_block_that_neither_runs_nor_says_why_is_named(page: str) -> None:
    assert len(problems_of(page)) == 1


def test_a_command_that_the_command_line_refuses_is_named() -> None:
    page = "<!-- not run: hours -->\n\n```sh\nmsm4sr {} my_data --out x\n```\n"
    assert not_parsed(page.format("run")) == []
    assert not_parsed(page.format("run --nothing")) == ["msm4sr run --nothing my_data --out x"]
    assert not_parsed(page.format("rnu")) == ["msm4sr rnu my_data --out x"]


def test_a_failing_command_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 2"):
        run_command(["msm4sr", "check", os.fspath(tmp_path / "nothing")])
    with pytest.raises(AssertionError, match="ended with 2"):
        run_command(["python", "-m", "benchmarks.startup", "--nothing"])
