"""An interval is drawn where there is one, and where there is none nothing claims certainty."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from course.intervals import draw_intervals, format_interval, has_interval

from msm4sr_lite.intervals import summarise

mpl.use("agg")

ONE_HIT = np.append(np.zeros(49), 1.0)
FOUND = summarise({"none": np.zeros(50), "some": ONE_HIT})


def test_a_model_without_a_hit_has_no_interval():
    assert not has_interval(FOUND["none"])
    assert has_interval(FOUND["some"])
    assert format_interval(FOUND["none"]) == "0 (not one hit, so no interval)"
    assert format_interval(FOUND["some"]) == "0.020 [0.000, 0.060]"
    same = summarise({"same": np.full(5, 0.5)})["same"]
    assert format_interval(same) == "0.5 (all equal, so no interval)"


def test_what_has_no_interval_gets_no_whisker_and_a_legend_says_so():
    figure, axes = plt.subplots()
    draw_intervals(axes, FOUND)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["none", "some"]
    (whiskers,) = axes.containers  # of one of the two
    assert whiskers.lines[0].get_ydata().tolist() == [1]
    (start, end) = whiskers.lines[2][0].get_segments()[0][:, 0]
    assert (round(start, 6), round(end, 6)) == (0.0, 0.06)
    (open_marker,) = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert open_marker.get_ydata() == [0]
    assert not open_marker.get_clip_on()  # a marker at 0 is not cut in half
    (words,) = axes.get_legend().get_texts()
    assert "no interval" in words.get_text()
    plt.close(figure)


def test_no_legend_where_all_have_intervals():
    figure, axes = plt.subplots()
    draw_intervals(axes, {"some": FOUND["some"]})
    assert axes.get_legend() is None
    plt.close(figure)
