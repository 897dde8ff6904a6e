"""From a master to a notebook: sections have numbers and minutes, cells keep their names."""

from __future__ import annotations

from pathlib import Path

from course.costs import reading_time
from course.lab import make_blank
from course.masters import PAPER, read_master
from course.rules import find_problems

WORKBENCH = Path(__file__).parents[1] / "notebooks" / "browser" / "99_workbench.py"


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
    assert make_blank(notebook).cells[1].source == folded
    assert "900" not in "".join(reading_time(notebook))
    notebook.cells[1].metadata.tags = []
    assert "take 5 to 5" in "".join(reading_time(notebook))


def test_cells_keep_their_names_when_one_is_added(tmp_path: Path) -> None:
    text = WORKBENCH.read_text(encoding="utf-8")
    changed = tmp_path / "99_workbench.py"
    changed.write_text(text.replace("# %%\nhint(", "# %%\nx\n\n# %%\nx\n\n# %%\nhint("))
    before = [cell.id for cell in read_master(WORKBENCH).cells]
    after = [cell.id for cell in read_master(changed).cells]
    assert [name for name in after if name in before] == before
    assert len(set(after)) == len(after) == len(before) + 2


SECTIONS = """# %% [markdown]
# # A title
#
# ## First
# {words}
#
# ```
# ## no heading
# ```
#
# ### Detail
#
# ## Second

# %%
1

# %% tags=["exercise"]
check("01.ranks", ...)

# %% [markdown] tags=["solution"]
# ## No section
# {words}

# %% [markdown]
# ## Third
#
# Look.
"""


def test_sections_have_numbers_and_minutes(tmp_path: Path) -> None:
    master = tmp_path / "05_x.py"
    master.write_text(SECTIONS.format(words="word " * 600), encoding="utf-8")
    first, *_, last = read_master(master, address="").cells
    assert first.source.startswith("# A title\n\n## 5.1 First\n\n*about 3 minutes*\nword word ")
    assert "```\n## no heading\n```\n\n### Detail\n\n## 5.2 Second\n\n" in first.source
    assert "## 5.2 Second\n\n*about 2 minutes and 1 exercise*" in first.source
    assert last.source == "## 5.3 Third\n\n*about 1 minute*\n\nLook."
    assert "5.4" not in "".join(cell.source for cell in read_master(master, address="").cells)


def test_numbers_do_not_rename_cells(tmp_path: Path) -> None:
    master, text = tmp_path / "05_x.py", SECTIONS.format(words="word")
    master.write_text(text, encoding="utf-8")
    before = [cell.id for cell in read_master(master, address="").cells]
    new = "# %% [markdown]\n# ## New\n#\n# One.\n\n"
    master.write_text(text.replace("# %%\n1", f"{new}# %%\n1"), encoding="utf-8")
    cells = read_master(master, address="").cells
    assert "## 5.4 Third" in cells[-1].source
    assert [cell.id for cell in cells if "New" not in cell.source] == before


def test_the_first_cell_names_the_paper_once(tmp_path: Path) -> None:
    master = tmp_path / "05_x.py"
    for line in ("One.", f"The paper is [MSM4SR]({PAPER})."):
        master.write_text(f"# %% [markdown]\n# # A title\n#\n# {line}\n", encoding="utf-8")
        (cell,) = read_master(master, address="").cells
        assert cell.source.startswith(f"# A title\n\n{line}")
        assert cell.source.count(PAPER) == 1


def test_plot_code_is_folded_in_jupyterlab_and_on_the_site(tmp_path: Path) -> None:
    master = tmp_path / "05_x.py"
    text = '# %% [markdown]\n# # A title\n\n# %% tags=["plot", "nbval-ignore-output"]\n'
    reason = "# Not compared: it shows the time of day.\n"
    master.write_text(f"{text}{reason}1\n\n# %%\n2\n", encoding="utf-8")
    notebook = read_master(master, address="")
    _, plot, other = notebook.cells
    assert plot.metadata == {
        "tags": ["hide-input", "nbval-ignore-output"],
        "jupyter": {"source_hidden": True},
    }
    assert other.metadata == {}
    for cell in notebook.cells[1:]:
        cell.execution_count = 1
    assert find_problems(notebook) == []
