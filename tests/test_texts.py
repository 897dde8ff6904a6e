"""What the texts name exists: links, headings, files, commands and their flags."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from course import spine
from course.masters import read_master

import run
from msm4sr_lite import config
from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.cli.parser import given_settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "LICENSES.md")]
PAGES += sorted((ROOT / "docs").glob("*.md")) + sorted(ROOT.glob("data_samples/*/README.md"))
MASTERS = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
each = pytest.mark.parametrize(
    "path", [*PAGES, *MASTERS], ids=lambda path: f"{path.parent.name}/{path.name}"
)

FENCE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.M | re.S)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:href|src)=\"([^\"]+)\"")
ADDRESS = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:/[\w./%@:?=&+,;~#-]*)?")
PART = r"([a-z0-9][\w.-]*)([^\n|&;]*)"
COMMAND = re.compile(rf"(?:\bmsm4sr|-m msm4sr_lite) {PART}")
MODULE = re.compile(r"\bpython3? -m ([\w.]+)")
RUN_PY = re.compile(rf"\bpython3? run\.py {PART}")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
SETTING = re.compile(r"--set ([\w.]+=[\w.+-]+)")


@cache
def text_of(path: Path) -> str:
    """Return the Markdown of a page, or of all the text cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(c.source for c in read_master(path).cells if c.cell_type == "markdown")


def prose(text: str) -> str:
    return SPAN.sub("", FENCE.sub("", text))


def code(text: str) -> list[str]:
    """Return the pieces of code in a text: code spans, and fenced lines without comments."""
    fenced = "".join(FENCE.findall(text)).replace("\\\n", " ")
    lines = [line.partition("  #")[0].strip() for line in fenced.splitlines()]
    return [*lines, *(" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text)))]


def anchors(text: str) -> set[str]:
    """Return what GitHub calls the headings of a text."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.M):
        name = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
        if found[name]:
            found[f"{name}-{found[name]}"] = 0
    return set(found)


def broken_links(path: Path, text: str) -> list[str]:
    """Return the links of a text that lead nowhere; the network is not asked."""
    folder = path.parent if path.suffix == ".md" else path.parents[1]  # where the notebook lies
    problems = []
    for target in (one or other for one, other in LINK.findall(prose(text))):
        if "://" in target or target.startswith("mailto:"):
            problems += [] if ADDRESS.fullmatch(target) else [target]
            continue
        name, _, anchor = unquote(target).partition("#")
        place = (folder / name).resolve() if name else path
        inside = place.is_relative_to(ROOT) or not path.is_relative_to(ROOT)
        if not place.exists() or not inside or (anchor and anchor not in anchors(text_of(place))):
            problems.append(target)
    return problems


def missing_files(path: Path, text: str) -> list[str]:
    """Return the Markdown and Python files that code spans name and that are not there."""
    folders = (ROOT, ROOT / "msm4sr_lite", ROOT / "notebooks", path.parent)
    named = [part for part in code(text) if re.fullmatch(r"[\w./-]+\.(?:md|py)", part)]
    named = [name for name in named if name != spine.FILE]  # which a student writes
    return [name for name in named if not any((folder / name).is_file() for folder in folders)]


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command of ``msm4sr``."""
    actions = build_parser()._subparsers._group_actions
    return dict(actions[0].choices)


@cache
def run_py_flags(command: str) -> set[str]:
    """Return the flags of a command of run.py, from its help."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        run.parse([command, "--help"])
    return set(FLAG.findall(shown.getvalue()))


def flags_of(command: str) -> set[str]:
    return {flag for action in parsers()[command]._actions for flag in action.option_strings}


def is_setting(text: str, command: str) -> bool:
    """Whether a command takes ``--set text``: the name exists, the value is in its range."""
    parser = parsers()[command]
    found = {name: parser.get_default(name) for name in ("sections", "config")}
    try:
        given_settings(argparse.Namespace(set=[text], command=command, **found))
    except config.UserError:
        return False
    return True


def is_runnable(module: str) -> bool:
    """Whether ``python -m module`` starts something."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    if found is None:
        return False
    if found.submodule_search_locations:
        return importlib.util.find_spec(f"{module}.__main__") is not None
    ours = found.origin is not None and ROOT in Path(found.origin).parents
    return not ours or '__name__ == "__main__"' in Path(str(found.origin)).read_text("utf-8")


def unknown_commands(text: str) -> list[str]:
    """Return the commands and flags in a text's code that do not exist."""
    problems = []
    for piece in code(text):
        for command, rest in COMMAND.findall(piece):
            if command not in parsers():
                problems.append(f"msm4sr {command}")
            else:
                new = set(FLAG.findall(rest)) - flags_of(command)
                problems += [f"msm4sr {command} {flag}" for flag in sorted(new)]
                wrong = [one for one in SETTING.findall(rest) if not is_setting(one, command)]
                problems += [f"msm4sr {command} --set {one}" for one in wrong]
        if piece.startswith("--set "):
            takers = [name for name in parsers() if "--set" in flags_of(name)]
            for one in SETTING.findall(piece):
                known = any(is_setting(one, name) for name in takers)
                problems += [] if known else [f"--set {one}"]
        for module in MODULE.findall(piece):
            problems += [] if is_runnable(module) else [f"python -m {module}"]
        for command, rest in RUN_PY.findall(piece):
            if command not in run.COMMANDS:
                problems.append(f"python run.py {command}")
            else:
                new = set(FLAG.findall(rest.partition(" -- ")[0])) - run_py_flags(command)
                problems += [f"python run.py {command} {flag}" for flag in sorted(new)]
    return problems


@each
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path, text_of(path)) == []


@each
def test_named_files_exist(path: Path) -> None:
    assert missing_files(path, text_of(path)) == []


@each
def test_named_commands_and_flags_exist(path: Path) -> None:
    assert unknown_commands(text_of(path)) == []


def test_a_flag_that_stands_alone_belongs_to_a_command() -> None:
    known = {flag for command in parsers() for flag in flags_of(command)}
    known |= {flag for command in run.COMMANDS for flag in run_py_flags(command)}
    for path in (*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("notebooks/course/*.py")):
        known |= set(FLAG.findall(path.read_text(encoding="utf-8")))
    named = {
        (path.name, flag)
        for path in (*PAGES, *MASTERS)
        for piece in code(text_of(path))
        if piece.startswith("--")
        for flag in FLAG.findall(piece)
    }
    assert len(named) > 20
    assert {(name, flag) for name, flag in named if flag not in known} == set()


def test_the_readme_names_every_page_of_docs() -> None:
    readme = text_of(ROOT / "README.md")
    missing = [path.name for path in ROOT.glob("docs/*.md") if path.name not in readme]
    assert missing == []


def test_the_searches_find_what_they_are_for() -> None:
    pieces = [piece for path in (*PAGES, *MASTERS) for piece in code(text_of(path))]
    found = {kind: sum(len(kind.findall(p)) for p in pieces) for kind in (COMMAND, MODULE, RUN_PY)}
    assert found[COMMAND] > 40
    assert min(found.values()) > 10


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """The searches above find what they are for, and pass what is right."""
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# Twice, `x`!\n\n# Twice, `x`!\n", encoding="utf-8")
    text = (
        '[a](other.md#twice-x) [b](<other.md#twice-x-1> "t") [c](#here) `[d](no.md)`\n\n## Here\n'
    )
    page.write_text(text, encoding="utf-8")
    assert broken_links(page, text) == []
    wrong = ["no.md", "other.md#twice-x-2", "#there", "http://a.example", "https://a"]
    assert broken_links(page, "".join(f"[x]({target}) " for target in wrong)) == wrong
    assert broken_links(page, '<a href="no.md">x</a> ![x](https://a.example/b.svg)') == ["no.md"]
    assert missing_files(page, "`other.md`, `config.py`, `docs/no.md`") == ["docs/no.md"]
    shown = "```\nmsm4sr run S --out \\\n  R --nothing   # --here\npython run.py tset\n```\n"
    shown += "`msm4sr rnu`, `python -m msm4sr_lite.nothing`, `python -m msm4sr_lite.config`,\n"
    shown += (
        "`python run.py lab --prot 1`, `msm4sr\nstudy main S --quick`, `python -m msm4sr_lite`\n"
    )
    shown += "`python run.py check -- --pdb`, `torchrun -m msm4sr_lite finetun S`,\n"
    shown += "`msm4sr run S --set pretrain.lr=1e-3 --set pretrain.rl=1`, `--set data.n_test=0`,\n"
    shown += "`msm4sr keywords S --set pretrain.lr=1`, `--set clip.epochs=3`"
    assert unknown_commands(shown) == [
        "msm4sr run --nothing",
        "python run.py tset",
        "msm4sr rnu",
        "python -m msm4sr_lite.nothing",
        "python -m msm4sr_lite.config",
        "python run.py lab --prot",
        "msm4sr finetun",
        "msm4sr run --set pretrain.rl=1",
        "--set data.n_test=0",
        "msm4sr keywords --set pretrain.lr=1",
    ]
