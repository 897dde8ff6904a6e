"""From a master to a stored notebook: builder, dependencies, rules, nbval's sanitising."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from course import dependencies, rules
from course.machine import peak_memory
from course.masters import read_master, student_copy
from course.notebooks import (
    ROOT,
    build,
    environment,
    execute,
    main,
    stale,
    stored,
)
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from msm4sr_lite.config import UserError

WORKBENCH = Path(__file__).parent / "browser" / "99_workbench.py"
SANITIZE = Path(__file__).parent / "nbval_sanitize.cfg"


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
    notebook = nbformat.read(stored(master_in(bench)), as_version=4)
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
    copy = student_copy(notebook)
    text = "\n".join(cell.source for cell in copy.cells)
    assert "<details>" not in text
    assert "return ...  # your turn" in text
    assert 'check("00.most_bought", most_bought)' in text
    assert main(["student", "--root", str(bench), "99"]) == 0
    assert (bench / "build" / "student" / "99_workbench.ipynb").exists()


def test_a_derivation_is_folded_for_all_and_counts_no_minutes(tmp_path: Path) -> None:
    master = tmp_path / "01_x.py"
    derived = "# Derivation: why\n#\n# " + "word " * 900
    master.write_text(
        "# %% [markdown]\n# # Title\n#\n# 1 minutes of reading\n\n"
        f'# %% [markdown] tags=["derivation"]\n{derived}\n',
        encoding="utf-8",
    )
    notebook = read_master(master)
    notebook.metadata.msm4sr["minutes"] = 1
    folded = notebook.cells[1].source
    assert folded.startswith("<details><summary><b>Derivation: why</b> (click)</summary>\n\nword ")
    assert student_copy(notebook).cells[1].source == folded
    assert "900" not in "".join(rules.reading_time(notebook))
    notebook.cells[1].metadata.tags = []
    assert "take 5 to 5" in "".join(rules.reading_time(notebook))


def test_cells_keep_their_names_when_one_is_added(tmp_path: Path) -> None:
    text = WORKBENCH.read_text(encoding="utf-8")
    changed = tmp_path / "99_workbench.py"
    changed.write_text(text.replace("# %%\nhint(", "# %%\nx\n\n# %%\nx\n\n# %%\nhint("))
    before = [cell.id for cell in read_master(WORKBENCH).cells]
    after = [cell.id for cell in read_master(changed).cells]
    assert [name for name in after if name in before] == before
    assert len(set(after)) == len(after) == len(before) + 2


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
    assert stale(master, tmp_path) == ["is not what its master says"]
    assert main(["check", "--root", str(tmp_path)]) == 1


def test_a_changed_library_is_seen(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "digest", lambda path: "another")
    assert stale(master_in(bench), bench) == [
        f"{name} has changed since the outputs were made"
        for name in (
            "msm4sr_lite/__init__.py",
            "msm4sr_lite/config.py",
            "msm4sr_lite/writing/__init__.py",
            "msm4sr_lite/writing/files.py",
        )
    ]


def test_comments_do_not_count_as_change(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text, encoding="utf-8")
        return dependencies.digest(path)

    plain = digest('def f():\n    """One."""\n    return "#1"\n')
    assert (
        digest('"""M."""\n\ndef f():\n    """Two.\n\n    More."""\n    # why\n    return "#1"\n')
        == plain
    )
    assert digest('def f():\n    """One."""\n    return "#2"\n') != plain


def test_data_files_are_noted(tmp_path: Path) -> None:
    model = tmp_path / "data_samples" / "model"
    model.mkdir(parents=True)
    for name in ("config.json", "weights.safetensors", "unread.json"):
        (model / name).write_text(name, encoding="utf-8")
    code = (
        f"{dependencies.BEFORE}\nimport os; os.chdir({str(tmp_path)!r})\n"
        f"open('data_samples/model/config.json').close()\n{dependencies.AFTER}"
    )
    noted = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "data_samples/model/config.json" in noted
    assert "weights.safetensors" in noted
    assert "unread" not in noted


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("# %%\n1 / 0", r"1 / 0\n.*ZeroDivisionError: division by zero"),
        ("# %%\nimport sys\nprint('oh', file=sys.stderr)", r"cell 2 .*wrote to stderr: oh"),
        ('# %% tags=["hidden"]\n1', r"bad.py, cell 2: a tag of .* got \{'hidden'\}"),
        ('# %% tags=["solution"]\n1', r"cell 2: a solution in code would never be run"),
        ('# %% tags=["exercise"]\n1', r"cell 2: an exercise must read check\("),
    ],
)
def test_a_bad_master_is_refused(tmp_path: Path, cell: str, message: str) -> None:
    master = tmp_path / "notebooks" / "src" / "bad.py"
    master.parent.mkdir(parents=True)
    master.write_text(f"# %% [markdown]\n# # Title\n\n{cell}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"(?s){message}"):
        build(master)
    assert not stored(master).exists()


def test_an_unknown_number_is_refused(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "42", "--root", str(bench)])
    assert "['99']); got {'42'}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_student_copy_runs_to_its_end(bench: Path) -> None:
    execute(student_copy(read_master(WORKBENCH)), bench)


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(bench: Path) -> None:
    before = stored(master_in(bench)).read_bytes()
    build(master_in(bench))
    assert stored(master_in(bench)).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("static", ["0", "1"])
def test_nbval_finds_no_difference(bench: Path, static: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += [f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider", str(bench)]
    done = subprocess.run(
        command, env=environment() | {"MSM4SR_STATIC": static}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


# --- rules ----------------------------------------------------------------------------------


def html_cell(markup: str) -> nbformat.NotebookNode:
    output = new_output("display_data", data={"text/html": markup, "text/plain": "x"})
    return new_code_cell("1", execution_count=1, outputs=[output])


def text_cell(**fields: str) -> nbformat.NotebookNode:
    return new_code_cell("1", execution_count=1, outputs=[new_output("stream", **fields)])


BREACHES: list[tuple[Callable[..., list[str]], nbformat.NotebookNode, str]] = [
    (rules.headings, new_markdown_cell("# A second title"), "level 1 below"),
    (rules.headings, new_markdown_cell("## Fine\n\n#### Too deep"), "level 4 below one of level 2"),
    (rules.code_style, new_code_cell("x = '" + "a" * 90 + "'"), "96 columns, more than 88"),
    (rules.code_style, new_code_cell("plt.plot(x);"), "ends in ';'"),
    (rules.code_style, new_code_cell("interact(f, x=1)"), "interact and Output break"),
    (rules.portable, new_code_cell("open('/home/ann/shop.csv')"), ".../home/a..."),
    (rules.portable, text_cell(text=r"read C:\Users"), r"C:\U"),
    (rules.portable, text_cell(text=f"{ROOT}/data_samples"), "differs between machines"),
    (rules.portable, text_cell(text="<object at 0x7f00aa11>"), "at 0x7f00aa11"),
    (rules.no_trouble, new_code_cell("1"), "was not run"),
    (rules.no_trouble, text_cell(name="stderr", text="Deprecated"), "stderr: Deprecated"),
    (
        rules.no_trouble,
        new_code_cell("1", execution_count=1, outputs=[new_output("error", ename="E", evalue="v")]),
        "raised E: v",
    ),
    (
        rules.no_widgets,
        new_code_cell(
            "1",
            outputs=[new_output("display_data", data={rules._WIDGET_VIEW: {}})],
        ),
        "a widget view is stored",
    ),
    (rules.images, html_cell('<img src="data:image/png;base64,AA">'), "without alternative text"),
    (
        rules.images,
        html_cell(f'<img alt="x" src="data:image/png;base64,{"A" * 88_000}">'),
        "a picture of 66 kB",
    ),
    (rules.images, html_cell('<img alt="x" src="//a.example/x.png">'), "from the network"),
    (rules.images, html_cell("<svg><g></g></svg>"), "an SVG without <title>"),
    (
        rules.images,
        new_code_cell("1", outputs=[new_output("display_data", data={"image/png": "AA"})]),
        "a bare picture",
    ),
    (rules.images, new_markdown_cell("![ ](x.png)"), "without alternative text"),
]


@pytest.mark.parametrize(("rule", "cell", "message"), BREACHES)
def test_each_breach_is_found(
    rule: Callable[..., list[str]], cell: nbformat.NotebookNode, message: str
) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    (problem,) = rule(notebook)
    assert problem.startswith("cell 2 (")
    assert message in problem


def test_good_content_breaks_no_rule() -> None:
    good = [
        new_markdown_cell(
            "# Title\n\n```\n# not a heading\n```\n\n## Part\n\n### Detail\n\n## Next"
        ),
        html_cell(
            "<svg><title>Map</title><g></g></svg><img alt='x' src='data:image/png;base64,A+/tmp/A'>"
        ),
        text_cell(text="work/network and https://a.example/home/x are no paths: 3 / 4"),
        new_code_cell("1 / 0", metadata={"tags": ["skip-execution"]}),
    ]
    assert rules.problems(new_notebook(cells=good)) == []


def test_a_notebook_starts_with_its_title() -> None:
    assert "starts with its title" in rules.headings(new_notebook(cells=[new_code_cell("1")]))[0]


@pytest.mark.parametrize(
    ("stated", "in_metadata", "problem"),
    [
        (3, 3, ""),
        (8, 8, ""),
        (2, 2, "401 words, 1 cells of code and 1 exercises take 3 to 9"),
        (9, 9, "take 3 to 9"),
        (5, 4, "the metadata say 4"),
    ],
)
def test_stated_minutes_are_enough_and_not_too_many(
    stated: int, in_metadata: int, problem: str
) -> None:
    text = f"# One two\n\n{stated} minutes of reading. " + "word " * 395
    cells = [
        new_markdown_cell(text),
        new_code_cell("check()", metadata={"tags": ["exercise"]}),
        new_markdown_cell("answer " * 1000, metadata={"tags": ["solution"]}),
    ]
    notebook = new_notebook(cells=cells, metadata={"msm4sr": {"minutes": in_metadata}})
    found = rules.reading_time(notebook)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def costly(stated: str, **costs: float) -> list[str]:
    cells = [new_markdown_cell(f"# One\n\n5 minutes of reading, {stated} of computing")]
    cheap = rules.Costs(together=3, longest=1, slowest="cell 1", memory=0.5, factor=1)
    return rules.too_dear(new_notebook(cells=cells), cheap._replace(**costs))


@pytest.mark.parametrize(
    ("stated", "took", "longest", "problem"),
    [
        ("about 10 seconds", 10, 3, ""),
        ("about 10 seconds", 20, 3, ""),
        ("about 10 seconds", 21, 3, "21 here, 21 on the course's machine"),
        ("about 10 seconds", 3, 3, "3 here, 3 on the course's machine"),
        ("about a minute", 55, 30, ""),
        ("about a minute", 61, 30, "61 seconds, more than 60"),
        ("about a minute", 50, 31, "a cell took 31 seconds, more than 30"),
        ("under 30 seconds", 4, 4, ""),
        ("under 30 seconds", 31, 4, "31 here"),
    ],
)
def test_stated_seconds_are_compared_with_those_of_a_run(
    stated: str, took: float, longest: float, problem: str
) -> None:
    found = costly(stated, together=took, longest=longest)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def test_a_fast_machine_may_be_fast_and_a_slow_one_slow() -> None:
    assert not costly("about 10 seconds", together=2, factor=0.25)
    assert not costly("about 10 seconds", together=39, longest=9, factor=2)
    (found,) = costly("about 10 seconds", together=12, factor=0.25)
    assert "12 here, 48 on the course's machine" in found


def test_more_memory_than_the_readme_states_is_found() -> None:
    assert f"up to {rules.MEMORY:g} GB of memory" in (ROOT / "README.md").read_text("utf-8")
    assert costly("under 9 seconds", memory=1.1) == ["the kernel took 1.1 GB, more than 1"]
    assert 0.02 < peak_memory() < 64


def test_progress_bars_are_dropped_and_warnings_kept() -> None:
    bar = " 50%|█████     | 1/2 [00:01<00:01]\r100%|██████████| 2/2 [00:02<00:00]\n"
    cells = [text_cell(name="stderr", text=text) for text in (bar, f"{bar}Deprecated\n")]
    notebook = new_notebook(cells=cells)
    rules.clean(notebook)
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<a at 0x7f12ab34cd56>", "<a at 0x10ab34cd56>"),
        ("in /tmp/ipykernel_12/345.py:1", "in C:\\T\\ipykernel_9/8.py:1"),
        ("took 3.2 s", "took 17 seconds"),
        ("120 ms per step", "1.5 s per step"),
        ("  3%|▎  | 3/100 [00:01]", "100%|███| 100/100 [00:09]"),
        ('src="data:image/png;base64,AAAA+/="', 'src="data:image/png;base64,BB"'),
        ("id 0123456789abcdef0123456789abcdef", "id fedcba9876543210fedcba9876543210"),
    ],
)
def test_sanitising_hides_what_may_differ(one: str, other: str) -> None:
    from nbval.plugin import get_sanitize_patterns

    patterns = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
    for pattern, replacement in patterns:
        one, other = re.sub(pattern, replacement, one), re.sub(pattern, replacement, other)
    assert one == other


def test_sanitising_keeps_what_must_agree() -> None:
    from nbval.plugin import get_sanitize_patterns

    text = "NDCG@10 0.142, loss 2.3, 400 items, 12 sentences, 50% of users, recall 3 seats"
    for pattern, replacement in get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")):
        assert re.sub(pattern, replacement, text) == text
