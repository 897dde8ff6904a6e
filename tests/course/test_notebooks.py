"""Building a notebook from its master, checking that it is up to date, commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from course import dependencies
from course.lab import make_blank
from course.masters import read_master
from course.notebooks import (
    build_environment,
    build_notebook,
    execute_notebook,
    find_stale,
    main,
    stored_path,
)

from msm4sr_lite.config import UserError

pytestmark = pytest.mark.thorough  # kernels are started

WORKBENCH = Path(__file__).parents[1] / "notebooks" / "browser" / "99_workbench.py"
SANITIZE = Path(__file__).parents[1] / "notebooks" / "nbval_sanitize.cfg"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the workbench notebook in a repository of its own; give the repository."""
    root = tmp_path_factory.mktemp("bench")
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "data_samples").mkdir()
    shutil.copy(WORKBENCH, root / "notebooks" / "src")
    assert main(["build", "--root", str(root)]) == 0
    return root


def master_in(root: Path) -> Path:
    return root / "notebooks" / "src" / WORKBENCH.name


def test_build_stores_a_clean_notebook(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = nbformat.read(stored_path(master_in(bench)), as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts)), None]  # the last one is tagged nbval-skip
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.msm4sr.made_from.keys() >= {"msm4sr_lite/config.py"}
    assert main(["check", "--root", str(bench)]) == 0
    assert "up to date" in capsys.readouterr().out


def test_folded_solutions_stay_out_of_the_student_copy(bench: Path) -> None:
    notebook = read_master(WORKBENCH)
    folded = [cell.source for cell in notebook.cells if cell.source.startswith("<details>")]
    assert len(folded) == 2
    assert "return sorted(counts" in folded[1]
    copy = make_blank(notebook)
    text = "\n".join(cell.source for cell in copy.cells)
    assert "<details>" not in text
    assert "return ...  # your turn" in text
    assert 'check("00.most_popular", most_popular)' in text


def test_work_makes_copies_and_fresh_ones(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_WORK", str(tmp_path))
    own = tmp_path / "99_workbench.ipynb"
    assert main(["work", "--root", str(bench), "99"]) == 0
    assert main(["work", "--root", str(bench)]) == 0
    assert capsys.readouterr().out == (
        f"1 new in {tmp_path}: your copies. They are never overwritten.\n"
    )
    own.write_text("{}", encoding="utf-8")
    assert main(["work", "--root", str(bench), "--fresh", "99"]) == 0
    assert (tmp_path / "99_workbench_old.ipynb").read_text("utf-8") == "{}"
    assert nbformat.read(own, as_version=4).cells
    assert main(["work", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", ["work --fresh", "build --fresh 99", "student"])
def test_fresh_needs_numbers(words: str, bench: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*words.split(), "--root", str(bench)])


@pytest.mark.parametrize(
    ("old", "new"),
    [("A low temperature", "A high temperature"), ("minutes: 2", "minutes: 3")],
)
def test_a_changed_master_is_seen(bench: Path, tmp_path: Path, old: str, new: str) -> None:
    shutil.copytree(bench, tmp_path, dirs_exist_ok=True)
    master = master_in(tmp_path)
    text = master.read_text(encoding="utf-8")
    assert old in text
    master.write_text(text.replace(old, new), encoding="utf-8")
    assert find_stale(master) == ["is not what its master says"]
    assert main(["check", "--root", str(tmp_path)]) == 1


def test_a_changed_library_is_seen(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_from = nbformat.read(stored_path(master_in(bench)), as_version=4).metadata.msm4sr.made_from
    assert {"msm4sr_lite/config.py", "msm4sr_lite/store/files.py"} <= set(made_from)
    monkeypatch.setattr(dependencies, "make_digest", lambda path: "another")
    assert find_stale(master_in(bench)) == [
        f"{name} has changed since the outputs were made" for name in made_from
    ]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("# %%\n1 / 0", r"1 / 0\n.*ZeroDivisionError: division by zero"),
        ("# %%\nimport sys\nprint('oh', file=sys.stderr)", r"cell 2 .*wrote to stderr: oh"),
        ('# %% tags=["hidden"]\n1', r"99_bad.py, cell 2: a tag of .* got \{'hidden'\}"),
        ('# %% tags=["solution"]\n1', r"cell 2: a solution in code would never be run"),
        ('# %% tags=["exercise"]\n1', r"cell 2: an exercise must read check\("),
    ],
)
def test_a_bad_master_is_refused(tmp_path: Path, cell: str, message: str) -> None:
    master = tmp_path / "notebooks" / "src" / "99_bad.py"
    master.parent.mkdir(parents=True)
    master.write_text(f"# %% [markdown]\n# # Title\n\n{cell}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"(?s){message}"):
        build_notebook(master)
    assert not stored_path(master).exists()


def test_an_unknown_number_is_refused(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "42", "--root", str(bench)])
    assert "['99']); got ['42']" in capsys.readouterr().err


@pytest.mark.slow
def test_the_student_copy_runs_to_its_end(bench: Path) -> None:
    execute_notebook(make_blank(read_master(WORKBENCH)), bench)


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(bench: Path) -> None:
    before = stored_path(master_in(bench)).read_bytes()
    build_notebook(master_in(bench))
    assert stored_path(master_in(bench)).read_bytes() == before


@pytest.mark.slow
def test_nbval_finds_no_difference(bench: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += [f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider", str(bench)]
    done = subprocess.run(command, env=build_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
