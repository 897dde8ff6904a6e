"""From a master to a notebook: derivations are folded, cells keep their names."""

from __future__ import annotations

from pathlib import Path

from course.costs import reading_time
from course.lab import make_blank
from course.masters import read_master

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
