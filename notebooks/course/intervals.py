"""Figures with their intervals, and what to do where there is none.

A bootstrap draws from what was seen. If all that was seen is alike (a model without one hit), every
draw gives the same mean, and an "interval" of width 0 would claim certainty where nothing is
known. Such a figure gets an open marker without a whisker, and words instead of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from course.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Estimate = Mapping[str, float]  # value, low, high


def has_interval(found: Estimate) -> bool:
    """Whether the customers differed at all, so that a bootstrap had something to vary."""
    return found["high"] > found["low"]


def in_words(found: Estimate) -> str:
    """Return a figure and its interval as text.

    Examples
    --------
    >>> in_words({"value": 0.141, "low": 0.126, "high": 0.156})
    '0.141 [0.126, 0.156]'
    >>> in_words({"value": 0.0, "low": 0.0, "high": 0.0})
    '0 (not one hit, so no interval)'
    """
    if has_interval(found):
        return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    why = "all alike" if found["value"] else "not one hit"
    return f"{found['value']:.3g} ({why}, so no interval)"


def draw_intervals(axes: Axes, figures: Mapping[str, Estimate]) -> None:
    """Draw a row for each figure, the first one lowest: a marker, and its interval as a whisker.

    Parameters
    ----------
    axes
        Get the names at their left, and a legend if a figure has no interval.
    figures
        Name -> ``value``, ``low``, ``high``, as of ``evaluation.summarise``.
    """
    unknown = None
    for place, (found, colour) in enumerate(zip(figures.values(), PALETTE, strict=False)):
        value = found["value"]
        if has_interval(found):
            error = [[value - found["low"]], [found["high"] - value]]
            axes.errorbar(value, place, xerr=error, fmt="o", capsize=5, color=colour)
        else:  # not cut at the edge, where a 0 stands
            (unknown,) = axes.plot(
                value, place, "o", color=colour, markerfacecolor="white", clip_on=False, zorder=3
            )
    axes.set(yticks=range(len(figures)), yticklabels=list(figures), ylim=(-0.6, len(figures) - 0.4))
    if unknown is not None:
        words = "customers all alike: no interval"
        axes.legend([unknown], [words], loc="lower right", fontsize=11)
