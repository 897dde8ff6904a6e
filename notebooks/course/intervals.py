"""Metrics with their intervals, and what to do where there is none.

A bootstrap resamples what was observed. If all observations are equal (a model without one hit),
every resample has the same mean, and an interval of width 0 would claim a certainty that does not
exist. Such a value gets an open marker without a whisker, and words instead of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from course.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Estimate = Mapping[str, float]  # value, low, high


def has_interval(found: Estimate) -> bool:
    """Whether the users differed at all, so that a bootstrap had something to vary."""
    return found["high"] > found["low"]


def format_interval(found: Estimate) -> str:
    """Return a value and its interval as text.

    Examples
    --------
    >>> format_interval({"value": 0.141, "low": 0.126, "high": 0.156})
    '0.141 [0.126, 0.156]'
    >>> format_interval({"value": 0.0, "low": 0.0, "high": 0.0})
    '0 (not one hit, so no interval)'
    """
    if has_interval(found):
        return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    why = "all equal" if found["value"] else "not one hit"
    return f"{found['value']:.3g} ({why}, so no interval)"


def draw_intervals(axes: Axes, estimates: Mapping[str, Estimate]) -> None:
    """Draw a row for each value, the first one lowest: a marker, and its interval as a whisker.

    Parameters
    ----------
    axes
        Get the names at their left, and a legend if a value has no interval.
    estimates
        Name -> ``value``, ``low``, ``high``, as of ``evaluation.summarise``.
    """
    unknown = None
    for place, (found, colour) in enumerate(zip(estimates.values(), PALETTE, strict=False)):
        value = found["value"]
        if has_interval(found):
            error = [[value - found["low"]], [found["high"] - value]]
            axes.errorbar(value, place, xerr=error, fmt="o", capsize=5, color=colour)
        else:  # not cut at the edge, where a 0 stands
            (unknown,) = axes.plot(
                value, place, "o", color=colour, markerfacecolor="white", clip_on=False, zorder=3
            )
    axes.set(
        yticks=range(len(estimates)), yticklabels=list(estimates), ylim=(-0.6, len(estimates) - 0.4)
    )
    if unknown is not None:
        label = "all users equal: no interval"
        axes.legend([unknown], [label], loc="lower right", fontsize=11)
