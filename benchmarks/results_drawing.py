"""Figures of results as data, and how they are drawn: rows with intervals, or curves."""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.study_pages import NAMES
from msm4sr_lite.store.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINED, UNTRAINED = "trained baseline", "untrained baseline"
DIFFERENCE, SMALL = "difference", "from a study of one or two variants"
AMONG_NEW, AMONG_ALL = "among the new items alone", "among all items"
PRETRAINED, SCRATCH = "pre-trained first", "from scratch"
# Colours that colour-blind readers can distinguish, each with a marker of its own.
MARKS = {
    "M²SE": ("#0072B2", "o"),
    TRAINED: ("#009E73", "s"),
    UNTRAINED: ("#B34700", "D"),
    AMONG_NEW: ("#0072B2", "o"),
    AMONG_ALL: ("#B34700", "s"),
    PRETRAINED: ("#0072B2", "o"),
    SCRATCH: ("#B34700", "s"),
    DIFFERENCE: ("#0072B2", "o"),
    SMALL: ("#B34700", "s"),
}
WIDTH, DPI = 9.0, 200  # inches; 1,800 pixels, shown at half their size


@dataclass(frozen=True)
class Point:
    """A value with its interval; ``at`` is its place on the x-axis of a curve."""

    name: str
    value: float
    low: float
    high: float
    kind: str = DIFFERENCE
    full: bool = True
    at: float = math.nan


@dataclass(frozen=True)
class Panel:
    """One pair of axes; ``line`` is a value marked by a dashed line."""

    title: str
    points: tuple[Point, ...]
    line: float = math.nan
    source: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure as data."""

    name: str
    panels: tuple[Panel, ...]
    axis: str
    alt: str
    line: str = ""
    height: float = 0.0

    def fingerprint(self) -> str:
        """Return what changes whenever the figure does."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def sources(self) -> list[str]:
        """JSON files whose figures are drawn, relative to ``docs/results``."""
        return sorted({source for panel in self.panels for source in panel.source.split()})


def draw(drawing: Drawing) -> Figure:
    """Draw a figure on white, which can be read on light and dark pages."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    curves = not math.isnan(drawing.panels[0].points[0].at)
    columns = min(len(drawing.panels), 4)
    lines = math.ceil(len(drawing.panels) / columns)
    names = rows_of(drawing)
    height = drawing.height or lines * (3.2 if curves else 1.1 + 0.27 * len(names)) + 0.3
    with rc_context({"font.size": 10, "axes.titlesize": 10, "axes.spines.right": False}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
        grid = figure.subplots(lines, columns, sharey=not curves, squeeze=False)
        for axes, panel in zip(grid.flat, drawing.panels, strict=False):
            (draw_curves if curves else draw_rows)(axes, panel, names)
            title = textwrap.wrap(panel.title, 68 // columns, break_on_hyphens=False)
            axes.set_title("\n".join(title), loc="left", fontweight="bold")
        for axes in list(grid.flat)[len(drawing.panels) :]:
            axes.set_visible(False)
        legend(figure, drawing)
    return figure


def rows_of(drawing: Drawing) -> list[str]:
    """Return the names of all panels: models in their usual order, others as they come."""
    names = list({one.name: "" for panel in drawing.panels for one in panel.points})
    order = list(NAMES.values())
    return sorted(names, key=lambda name: order.index(name) if name in order else -1)


def draw_rows(axes: Axes, panel: Panel, names: list[str]) -> None:
    """Draw a row per name: a dot, hollow where not significant, and its interval."""
    kinds = list({one.kind: "" for one in panel.points})
    shown = Counter(one.name for one in panel.points)
    axes.axvline(panel.line, color="0.3", linewidth=1.2, linestyle="--")
    for one in panel.points:
        colour, marker = MARKS[one.kind]
        place = float(names.index(one.name))
        place += 0.3 * kinds.index(one.kind) - 0.15 if shown[one.name] > 1 else 0
        axes.plot([one.low, one.high], [place, place], color=colour, linewidth=1.6)
        face = colour if one.full else "white"
        axes.plot(one.value, place, marker, color=colour, markerfacecolor=face, markersize=5.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=3 if panel.line == 0 else 4, steps=[1, 2, 5, 10])
    if panel.line != 0:  # no differences: lengths from 0 on can be compared
        ends = [value for one in panel.points for value in (one.low, one.high)]
        axes.set_xlim(left=min(0, *ends) - 0.03 * max(ends))
    axes.spines[["top", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def draw_curves(axes: Axes, panel: Panel, names: list[str]) -> None:
    """Draw a line per name with a band for its interval."""
    for name in names:
        own = [one for one in panel.points if one.name == name]
        colour, marker = MARKS[own[0].kind]
        x = [one.at for one in own]
        axes.plot(x, [one.value for one in own], color=colour, marker=marker, markersize=5)
        low, high = [one.low for one in own], [one.high for one in own]
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{int(value):,}" for value in x])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_ylabel("NDCG@10")
    axes.grid(color="0.9")
    axes.spines["top"].set_visible(False)


def legend(figure: Figure, drawing: Drawing) -> None:
    """Name the x-axis of all panels, markers and lines below the axes."""
    from matplotlib.lines import Line2D

    kinds = list({one.kind: "" for panel in drawing.panels for one in panel.points})
    faces = [(kind, kind, MARKS[kind][0]) for kind in kinds]
    if DIFFERENCE in kinds:
        faces = [(DIFFERENCE, "significant (p < 0.05, Holm)", MARKS[DIFFERENCE][0])]
        faces.append((DIFFERENCE, "not significant", "white"))
        faces += [(kind, kind, MARKS[kind][0]) for kind in kinds if kind != DIFFERENCE]
    found = []
    for kind, label, face in faces:
        colour, marker = MARKS[kind]
        found.append(Line2D([], [], color=colour, marker=marker, mfc=face, label=label))
    if drawing.line:
        found.append(Line2D([], [], color="0.3", linestyle="--", label=drawing.line))
    title = drawing.axis + " (panels have different scales)" * (len(drawing.panels) > 1)
    figure.legend(
        handles=found,
        title=title,
        title_fontsize=10,
        fontsize=9,
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )


def save(drawing: Drawing, path: Path) -> None:
    """Write a figure as a small PNG file that holds the fingerprint of its data."""
    from PIL import Image, PngImagePlugin

    image = BytesIO()
    draw(drawing).savefig(image, format="png", dpi=DPI)
    about = PngImagePlugin.PngInfo()
    about.add_text("Source", drawing.fingerprint())
    small = BytesIO()
    Image.open(image).convert("RGB").quantize(64).save(small, "png", pnginfo=about, optimize=True)
    write_bytes(path, small.getvalue())


def fingerprint_in(path: Path) -> str:
    """Return the fingerprint that a figure was saved with."""
    from PIL import Image

    if not path.is_file():
        return ""
    with Image.open(path) as image:
        return str(image.info.get("Source", ""))
