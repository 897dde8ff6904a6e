"""Panels: controls that redraw a figure, or still figures where nobody can move them.

In a running notebook there is the live panel alone, which redraws into a single widget as wide as
the page. Where ``MSM4SR_STATIC=1``, still figures stand in its place: they are the output
that is stored, on GitHub, in print and under nbval.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from course.controls import Control, make_widgets
from course.display import escape, isolate, publish, show_html, without_math
from course.figures import figure_html
from course.pictures import pick_value
from course.session import is_static
from course.taps import TapView

if TYPE_CHECKING:
    from ipywidgets import Widget
    from matplotlib.figure import Figure

# A figure with its alternative text, or HTML (all foreign text in it escaped) with its plain text.
Drawing: TypeAlias = "tuple[Figure, str] | tuple[str, str]"

# A slider that is being dragged redraws once it has rested this long; or at once, if it is live and
# the last redraw took less than LIVE_SECONDS: the browser sends no new value before it is done.
REST_SECONDS = 0.05
LIVE_SECONDS = 0.15

_STYLE = """<style>
.msm4sr-panel{--jp-widgets-font-size:16px;--jp-widgets-inline-height:44px}
.msm4sr-panel .widget-html-content{font-size:16px;line-height:1.4}
.msm4sr-panel .widget-html,.msm4sr-panel .widget-html-content{height:auto;max-width:100%}
.msm4sr-panel .noUi-handle::after{content:"";position:absolute;inset:-14px;left:-14px;width:auto;
height:auto;background:none;display:block}
.msm4sr-panel input[type=checkbox]{width:26px;height:26px;margin:9px}
</style>"""


def panel(
    draw: Callable[..., Drawing],
    *controls: Control,
    title: str,
    static: Sequence[Mapping[str, Any]],
    taps: str = "",
) -> None:
    """Show a live panel, or in a build still figures for the settings in ``static``.

    Parameters
    ----------
    draw
        Called with one keyword per control. Returns ``(figure, alt)`` or ``(html, text)``. It
        should take less than 0.2 s: precompute what is slower.
    controls
        Made by :func:`~course.controls.slider`, ``choice``, ``toggle``, ``entry`` and
        :func:`~course.pictures.picture_choice`.
    title
        Names the panel. Running the cell again closes the earlier panel of the same title.
    static
        Settings worth a still figure; what a setting leaves out stands at its start.
    taps
        The name of a control. A tap on a part of the drawing with ``data-tap="VALUE"`` sets it.
    """
    named = {control.name: control for control in controls}
    if taps and taps not in named:
        raise ValueError(f"taps may name one of {sorted(named)}; got {taps!r}")
    for settings in static:
        if unknown := settings.keys() - named.keys():
            raise ValueError(f"static may set {sorted(named)}; got {sorted(unknown)}")
    if is_static():
        starts = {name: control.start for name, control in named.items()}
        stills = []
        for settings in static:
            heading = ", ".join(
                f"{named[name].label} = {named[name].say(value)}"
                for name, value in settings.items()
            )
            stills.append((heading, draw(**{**starts, **settings})))
        show_stills(title, stills)
    summary = "; ".join(control.summary() for control in controls)
    show_live(title, summary, lambda: LivePanel(draw, controls, taps))


def show_stills(
    title: str, stills: Sequence[tuple[str, Drawing]], least: str = "24em", most: str = "40em"
) -> None:
    """Show the durable part of a panel: drawings ``least`` to ``most`` wide, each headed."""
    blocks, lines = [], []
    for heading, drawing in stills:
        above = f"<p><strong>{escape(heading)}</strong></p>" if heading else ""
        blocks.append(
            f'<div style="flex:1 1 {least};max-width:{most}">{above}{drawing_html(drawing)}</div>'
        )
        lines.append(f"[figure] {heading}{': ' if heading else ''}{drawing[1]}")
    row = f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(blocks)}</div>'
    show_html(row, "\n".join([f"[panel] {title}", *lines]))


class Live(Protocol):
    """Widgets in a box that can be removed from the notebook and the kernel."""

    box: Widget

    def close(self) -> None:
        """Remove all of them."""


def show_live(title: str, summary: str, make: Callable[[], Live]) -> None:
    """Show the live part of a panel, or where nobody can move it a sentence in its place.

    Parameters
    ----------
    title
        Names the panel. An earlier one of the same title is closed.
    summary
        What can be done, in words.
    make
        Makes the widgets; called only where somebody can move them.
    """
    summary = f"{title}: {summary}"
    sentence = f"Interactive panel, live in a running notebook. {escape(summary)}."
    stand_in: dict[str, object] = {
        "text/plain": isolate(f"[interactive panel] {summary}"),
        "text/html": f"<p><em>{sentence}</em></p>",
    }
    if title in open_panels:
        open_panels.pop(title).close()
    if is_static():
        publish(stand_in)
        return
    live = open_panels[title] = make()
    # Written out: ipywidgets 7, which Colab still has, makes no bundle itself.
    seen = {"version_major": 2, "version_minor": 0, "model_id": live.box.model_id}
    publish({"application/vnd.jupyter.widget-view+json": seen, **stand_in})


def drawing_html(drawing: Drawing, *, wide: bool = False) -> str:
    """Return the HTML of a drawing; a ``wide`` figure fills the page and is not made small."""
    content, text = drawing
    return content if isinstance(content, str) else figure_html(content, text, wide=wide)


class LivePanel:
    """The widgets of one panel, wired to one widget that shows the drawing.

    Parameters
    ----------
    draw, controls, taps
        As in :func:`panel`.
    """

    def __init__(
        self, draw: Callable[..., Drawing], controls: Sequence[Control], taps: str = ""
    ) -> None:
        import ipywidgets

        self._draw, self._controls = draw, {control.name: control for control in controls}
        self._timer: asyncio.TimerHandle | None = None
        self._seconds = 0.0  # the last redraw took
        self._holders: dict[str, Widget] = {}
        rows = []
        longest = max((len(control.label) for control in controls), default=0)
        label_width = f"{0.6 * longest + 1:.1f}em"
        for control in controls:
            holder, row = make_widgets(control, label_width)
            holder.observe(self._moved if control.live else self._changed, "value")
            self._holders[control.name] = holder
            rows.append(row)
        self.view: Widget = ipywidgets.HTML()
        self._taps, self._drawn = taps, TapView("", self._tapped) if taps else None
        if self._drawn:  # its list is not needed: the control itself can be set
            close_all(self._drawn.list)
            self.view = self._drawn.view
        self.view.add_class("msm4sr-drawing")
        frame = {"border": "1px solid #bbbbbb", "padding": "0.5em", "width": "auto"}
        style = ipywidgets.HTML(_STYLE, layout={"display": "none"})
        self.box = ipywidgets.VBox([style, *rows, self.view], layout=frame)
        self.box.add_class("msm4sr-panel")
        self.redraw()

    def _tapped(self, tapped: str, _: str) -> None:
        value = pick_value(self._controls[self._taps], tapped)
        if value is not None:
            self._holders[self._taps].value = value

    def _moved(self, change: object) -> None:
        """Redraw while the slider is dragged, if a redraw is quick enough."""
        if self._seconds < LIVE_SECONDS:
            self.redraw()
        else:
            self._changed(change)

    def _changed(self, change: object) -> None:
        """Redraw once the controls rest: a dragged slider sends many values a second."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no front end is connected
            self.redraw()
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_later(REST_SECONDS, self.redraw)

    def redraw(self) -> None:
        """Draw the present settings; an error in ``draw`` is shown in the figure's place."""
        import matplotlib.pyplot as plt

        start = time.perf_counter()
        values = {name: holder.value for name, holder in self._holders.items()}
        try:
            self.view.value = without_math(drawing_html(self._draw(**values), wide=True))
        except Exception as error:  # a student may have changed what draw uses
            plt.close("all")
            message = f"This setting cannot be drawn. {type(error).__name__}: {error}"
            self.view.value = f"<p><strong>{escape(message)}</strong></p>"
        if self._drawn:
            self._drawn.choose(isolate(values[self._taps]))
        self._seconds = time.perf_counter() - start

    def close(self) -> None:
        """Remove all widgets of the panel."""
        if self._timer:
            self._timer.cancel()
        close_all(self.box)


def close_all(widget: Widget) -> None:
    """Close a widget and all that it holds."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (getattr(widget, "style", None), widget.layout, widget):
        if part is not None:
            part.close()


open_panels: dict[str, Live] = {}
