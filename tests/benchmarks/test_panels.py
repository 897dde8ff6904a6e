"""The benchmark of the panels moves every control of a real notebook, and each can be drawn."""

import json
import subprocess
import sys

import ipywidgets
import pytest
from course.controls import choice, slider
from course.panels import LivePanel
from course.pictures import Picture, picture_choice

from benchmarks.panels import time_moves


def test_only_moves_that_change_the_figure_count():
    controls = slider("size", [1, 2, 3]), choice("unused", ["a", "b"])
    live = LivePanel(lambda size, unused: (f"<p>{size}</p>", str(size)), controls)
    kinds = (ipywidgets.Dropdown, ipywidgets.SelectionSlider)
    assert sum(isinstance(row, kinds) for row in live.box.children) == 1  # the list
    # Two other values in the slider's companion, then two in the slider itself; none from the list.
    assert len(time_moves(live)) == 4
    live.close()


def test_pictures_are_tapped():
    pictures = [Picture(name, f"the {name}") for name in "abc"]
    live = LivePanel(lambda item: (f"<p>{item}</p>", item), [picture_choice("item", pictures)])
    # Two others in the list, then all three in the grid, of which the first is another again.
    assert len(time_moves(live)) == 5
    live.close()


def test_a_setting_that_cannot_be_drawn_is_an_error():
    live = LivePanel(lambda size: (f"<p>{1 / (3 - size)}</p>", ""), [slider("size", [1, 2, 3])])
    with pytest.raises(RuntimeError, match="'size' cannot be drawn"):
        time_moves(live)
    live.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", ["00", "07"])
def test_a_notebook(number, tmp_path):
    command = [sys.executable, "-m", "benchmarks.panels", number, "--out", str(tmp_path / "found")]
    subprocess.run(command, check=True, capture_output=True)
    (row,) = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert row["notebook"] == number
    assert row["redraws"] >= 5
    assert 0 < row["median, ms"] <= row["longest, ms"]
