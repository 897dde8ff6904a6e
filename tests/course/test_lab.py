"""The student's copies: what is in them, what happens to them, and JupyterLab at the first."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from course import lab
from course.session import ROOT
from jupyter_client.manager import start_new_kernel
from jupyterlab.labapp import LabApp

import run
from msm4sr_lite.config import UserError

CELLS: list[dict[str, Any]] = [
    {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "[next](01_b.ipynb#x)"]},
    {
        "cell_type": "code",
        "execution_count": 3,
        "metadata": {"tags": ["skip-execution"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "seen"}],
        "source": "def f(x):\n    return ...  # your turn",
    },
    {"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": "the answer"},
]


def write(path: Path, cells: Any) -> None:
    about = {"msm4sr": {"minutes": 4, "made_from": {"a": "b"}}}
    content = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two notebooks."""
    monkeypatch.delenv("MSM4SR_WORK", raising=False)
    folder = tmp_path / "re po"
    (folder / "notebooks").mkdir(parents=True)
    for name in ("00_start_here", "01_b"):
        write(folder / "notebooks" / f"{name}.ipynb", CELLS)
    return folder


def test_copies_have_no_outputs_and_no_solutions(root: Path) -> None:
    work = root / "notebooks" / "work"
    assert lab.make_copies(root) == [f"2 new in {work}: your copies. They are never overwritten."]
    assert sorted(path.name for path in work.iterdir()) == ["00_start_here.ipynb", "01_b.ipynb"]
    copy = read(work / "01_b.ipynb")
    assert ["".join(cell["source"]) for cell in copy["cells"]] == [
        "# Title\n[next](01_b.ipynb#x)",
        "def f(x):\n    return ...  # your turn",
    ]
    assert copy["cells"][1]["outputs"] == []
    assert copy["cells"][1]["execution_count"] is None
    assert copy["cells"][1]["metadata"] == {"tags": ["skip-execution"]}
    assert copy["metadata"]["msm4sr"].keys() == {"minutes", "copied_from"}
    assert read(root / "notebooks" / "01_b.ipynb")["cells"] == CELLS


def test_a_copy_is_never_overwritten_and_a_newer_notebook_is_named(root: Path) -> None:
    lab.make_copies(root)
    own = root / "notebooks" / "work" / "01_b.ipynb"
    mine = read(own)
    mine["cells"][1]["source"] = "my answer"
    own.write_text(json.dumps(mine), encoding="utf-8")
    assert lab.make_copies(root) == []
    other_output = [{**CELLS[1], "outputs": []}, *CELLS[2:]]
    write(root / "notebooks" / "01_b.ipynb", [CELLS[0], *other_output])
    assert lab.make_copies(root) == []  # outputs and solutions are no part of a copy
    write(root / "notebooks" / "01_b.ipynb", CELLS[:1])
    (said,) = lab.make_copies(root)
    assert said.startswith("The course has newer versions of 01 than your copies; ")
    assert "work --fresh 01`" in said
    assert read(own) == mine


def test_a_fresh_copy_keeps_every_old_one(root: Path) -> None:
    work = root / "notebooks" / "work"
    lab.make_copies(root)
    for text in ("mine", "mine too", "and this"):
        (work / "01_b.ipynb").write_text(text, encoding="utf-8")
        (said,) = lab.make_copies(root, ["01"], fresh=True)
        assert said.startswith(f"{work / '01_b.ipynb'}: a fresh copy; yours is now 01_b_old")
    kept = {path.name: path.read_text("utf-8") for path in work.glob("01_b_old*")}
    assert kept == {
        "01_b_old.ipynb": "mine",
        "01_b_old2.ipynb": "mine too",
        "01_b_old3.ipynb": "and this",
    }
    assert len(read(work / "01_b.ipynb")["cells"]) == 2
    assert lab.make_copies(root) == []


@pytest.mark.parametrize("damage", ["", "{", '{"cells": [', "[]", '{"cells": 3}', None])
def test_a_copy_that_is_damaged_is_named_and_kept(damage: str | None, root: Path) -> None:
    lab.make_copies(root)
    own = root / "notebooks" / "work" / "00_start_here.ipynb"
    own.unlink()
    if damage is None:
        own.symlink_to(root / "nowhere")
    else:
        own.write_text(damage, encoding="utf-8")
    (said,) = lab.make_copies(root)
    assert said.startswith(f"{own}: cannot be read as a notebook; ")
    assert "--fresh 00`" in said
    assert own.is_symlink() if damage is None else own.read_text("utf-8") == damage


def test_links_lead_to_the_same_files_from_the_copies(root: Path) -> None:
    (root / "notebooks" / "pic tures").mkdir()
    for name in ("notebooks/pic tures/a.svg", "docs.md"):
        (root / name).touch()
    text = (
        "![a](pic%20tures/a.svg) [b](../docs.md#here) <img alt='' src=\"../docs.md\"> "
        "[c](00_start_here.ipynb) [d](https://a.example/x) $[e](slots, valid)$ [f](#x) [g](no.md)"
    )
    write(root / "notebooks" / "00_start_here.ipynb", [{**CELLS[0], "source": text}])
    lab.make_copies(root)
    (cell,) = read(root / "notebooks" / "work" / "00_start_here.ipynb")["cells"]
    assert "".join(cell["source"]) == (
        "![a](../pic%20tures/a.svg) [b](../../docs.md#here) <img alt='' src=\"../../docs.md\"> "
        "[c](00_start_here.ipynb) [d](https://a.example/x) $[e](slots, valid)$ [f](#x) [g](no.md)"
    )


def fail(number: int) -> Any:
    def write_bytes(path: Path, data: bytes) -> int:
        with path.open("wb") as file:  # half of it
            file.write(data[: len(data) // 2])
        raise OSError(number, os.strerror(number), str(path))

    return write_bytes


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_one_line_and_leaves_nothing_half(
    number: int, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = root / "notebooks" / "work"
    lab.make_copies(root, ["01"])
    (work / "01_b.ipynb").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(Path, "write_bytes", fail(number))
    monkeypatch.setattr(lab, "make_copies", lambda make=lab.make_copies: make(root))
    monkeypatch.setattr(LabApp, "launch_instance", lambda arguments: pytest.fail("started"))
    assert lab.main([]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"{work / '00_start_here.ipynb'}: cannot be written (")
    assert shown.err.endswith("MSM4SR_WORK can name another folder for your copies\n")
    assert shown.err.count("\n") == 1
    monkeypatch.undo()
    monkeypatch.setattr(Path, "write_bytes", fail(number))
    with pytest.raises(UserError, match="cannot be written"):
        lab.make_copies(root, ["01"], fresh=True)
    assert {path.name: path.read_text("utf-8") for path in work.iterdir()} == {"01_b.ipynb": "mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(root: Path) -> None:
    (root / "notebooks" / "work").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"work/00_start_here.ipynb: cannot be written") as error:
        lab.make_copies(root)
    assert "\n" not in str(error.value)


def test_a_repository_without_notebooks_or_with_a_damaged_one_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"\['00', '01'\]\); got \['42'\]"):
        lab.make_copies(root, ["42"])
    (root / "notebooks" / "00_start_here.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"00_start_here.ipynb: cannot be read .* repository anew"):
        lab.make_copies(root)
    with pytest.raises(UserError, match="holds no notebook; get the whole repository"):
        lab.make_copies(root / "notebooks")


@pytest.mark.parametrize("inside", [True, False])
def test_jupyterlab_opens_the_first_copy(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr(lab, "make_copies", list)
    monkeypatch.setenv("MSM4SR_WORK", "" if inside else str(tmp_path))
    assert lab.main(["--port=9000", "--no-browser"]) == 0
    (options,) = started
    folder, place = (ROOT, "notebooks/work/") if inside else (tmp_path, "")
    assert f"--ServerApp.root_dir={folder}" in options
    assert f"--LabApp.default_url=/lab/tree/{place}00_start_here.ipynb" in options
    assert options[-2:] == ["--port=9000", "--no-browser"]
    assert "--allow-root" in options
    assert os.environ["MSM4SR_WORK"] == str(folder / place)


@pytest.mark.thorough
def test_a_kernel_in_any_folder_finds_the_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in VS Code: no variable names the course, only a file in ``.venv``, here of a profile."""
    folder = tmp_path / """it's "1" {x} %d \\n $HOME?!"""
    (folder / "notebooks" / "work").mkdir(parents=True)
    (folder / "notebooks" / "course.py").write_text("print('found')", encoding="utf-8")
    monkeypatch.setattr(run, "ROOT", folder)
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "pip", lambda *requirements: None)
    run.install({}, {"torch": "http://a/b", "pin": "", "extras": ""}, update=True)
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    name = "ipython_kernel_config.json"
    (tmp_path / "etc" / "ipython" / name).rename(profile / name)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables["IPYTHONDIR"] = str(tmp_path / "ipython")
    manager, client = start_new_kernel(cwd=folder / "notebooks" / "work", env=variables)
    outputs: list[Any] = []
    try:
        code = "import course; print([n for n in ('sys', 'path') if n in dir()])"
        client.execute_interactive(code, timeout=60, output_hook=outputs.append)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    texts = [one["content"].get("text", "") for one in outputs if one["msg_type"] == "stream"]
    assert "".join(texts) == "found\n[]\n", outputs
