"""Panels: a row of still figures first, then sliders that redraw one of them.

The still figures are the durable output: they are there on GitHub, in print and under nbval. The
live part redraws into a single HTML widget; it is left out where ``MSM4SR_STATIC=1``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from course.display import escape, isolate, publish, show_html, without_math
from course.figures import figure_html
from course.session import is_static

if TYPE_CHECKING:
    from ipywidgets import Widget
    from matplotlib.figure import Figure

# A figure with its alternative text, or HTML (all foreign text in it escaped) with its plain text.
Drawing: TypeAlias = "tuple[Figure, str] | tuple[str, str]"

# A slider that is being dragged redraws once it has rested this long.
REST_SECONDS = 0.05
# With more steps than this, a slider's companion is a number box instead of a list, and a list is
# no longer read out.
_LONG_LIST = 12


@dataclass(frozen=True)
class Control:
    """One thing that can be changed in a panel; made by :func:`slider` and its siblings."""

    name: str
    label: str
    kind: Literal["slider", "choice", "toggle", "entry"]
    values: tuple[Any, ...]
    start: Any

    def summary(self) -> str:
        """Return in words what can be set."""
        if self.kind == "slider":
            first, last = _format(self.values[0]), _format(self.values[-1])
            return f"{self.label} from {first} to {last}"
        if self.kind == "choice" and len(self.values) > _LONG_LIST:
            return f"{self.label}: one of {len(self.values)}"
        if self.kind == "choice":
            return f"{self.label}: {' or '.join(_format(value) for value in self.values)}"
        return f"{self.label} on or off" if self.kind == "toggle" else f"{self.label} (free text)"


def _format(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(kind: Any, name: str, values: Sequence[Any], start: Any, label: str) -> Control:
    start = values[0] if start is None else start
    if start not in values:
        raise ValueError(f"{name} must start at one of its values {list(values)}; got {start!r}")
    return Control(name, label or name.replace("_", " "), kind, tuple(values), start)


def slider(name: str, values: Sequence[Any], start: Any = None, label: str = "") -> Control:
    """Make a slider over ``values``, with a named list or number box beside it."""
    return _listed("slider", name, values, start, label)


def choice(name: str, values: Sequence[Any], start: Any = None, label: str = "") -> Control:
    """Make a drop-down list."""
    return _listed("choice", name, values, start, label)


def toggle(name: str, start: bool = False, label: str = "") -> Control:
    """Make a box to tick."""
    return _listed("toggle", name, (False, True), start, label)


def entry(name: str, start: str, label: str = "") -> Control:
    """Make a line of free text; the panel redraws on Enter."""
    return Control(name, label or name.replace("_", " "), "entry", (), start)


def panel(
    draw: Callable[..., Drawing],
    *controls: Control,
    title: str,
    static: Sequence[Mapping[str, Any]],
) -> None:
    """Show still figures for the settings in ``static``, then a live part.

    Parameters
    ----------
    draw
        Called with one keyword per control. Returns ``(figure, alt)`` or ``(html, text)``. It
        should take less than 0.2 s: precompute what is slower.
    controls
        Made by :func:`slider`, :func:`choice`, :func:`toggle` and :func:`entry`.
    title
        Names the panel. Running the cell again closes the earlier panel of the same title.
    static
        Settings worth a still figure; what a setting leaves out stands at its start.
    """
    starts = {control.name: control.start for control in controls}
    labels = {control.name: control.label for control in controls}
    stills = []
    for settings in static:
        if unknown := settings.keys() - starts.keys():
            raise ValueError(f"static may set {sorted(starts)}; got {sorted(unknown)}")
        heading = ", ".join(
            f"{labels[name]} = {_format(value)}" for name, value in settings.items()
        )
        stills.append((heading, draw(**{**starts, **settings})))
    show_stills(title, stills)
    summary = "; ".join(control.summary() for control in controls)
    show_live(title, summary, lambda: LivePanel(draw, controls))


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


def drawing_html(drawing: Drawing) -> str:
    """Return the HTML of a drawing."""
    content, text = drawing
    return content if isinstance(content, str) else figure_html(content, text)


class LivePanel:
    """The widgets of one panel, wired to one HTML widget that shows the drawing.

    Parameters
    ----------
    draw, controls
        As in :func:`panel`.
    """

    def __init__(self, draw: Callable[..., Drawing], controls: Sequence[Control]) -> None:
        import ipywidgets

        self._draw = draw
        self._timer: asyncio.TimerHandle | None = None
        self._holders: dict[str, Widget] = {}
        rows = []
        label_width = f"{max(len(control.label) for control in controls) * 0.6:.1f}em"
        for control in controls:
            holder, row = _widgets(control, label_width)
            holder.observe(self._changed, "value")
            self._holders[control.name] = holder
            rows.append(row)
        self.view = ipywidgets.HTML()
        frame = {"border": "1px solid #bbbbbb", "padding": "0.5em"}
        self.box = ipywidgets.VBox([*rows, self.view], layout=frame)
        self.redraw()

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

        values = {name: holder.value for name, holder in self._holders.items()}
        try:
            self.view.value = without_math(drawing_html(self._draw(**values)))
        except Exception as error:  # a student may have changed what draw uses
            plt.close("all")
            message = f"This setting cannot be drawn. {type(error).__name__}: {error}"
            self.view.value = f"<p><strong>{escape(message)}</strong></p>"

    def close(self) -> None:
        """Remove all widgets of the panel."""
        if self._timer:
            self._timer.cancel()
        close_all(self.box)


def close_all(widget: Widget) -> None:
    """Close a widget and all that it holds."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for entry in (getattr(widget, "style", None), widget.layout, widget):
        if entry is not None:
            entry.close()


def _widgets(control: Control, label_width: str) -> tuple[Widget, Widget]:
    """Return the widget that holds the control's value, and the row to show."""
    import ipywidgets

    named = {
        "description": control.label,
        "style": {"description_width": label_width},
        "layout": {"width": "max-content", "min_width": "16em"},
    }
    if control.kind == "toggle":
        named["style"] = {"description_width": "initial"}
        holder = ipywidgets.Checkbox(control.start, indent=False, **named)
        return holder, holder
    if control.kind == "entry":
        named["layout"] = {"width": "32em"}
        holder = ipywidgets.Text(control.start, continuous_update=False, **named)
        return holder, holder
    options = [(_format(value), value) for value in control.values]
    if control.kind == "choice":
        holder = ipywidgets.Dropdown(options=options, value=control.start, **named)
        return holder, holder
    # The slider itself has no name that a screen reader could say, so its companion carries it.
    slide = ipywidgets.SelectionSlider(
        options=options, value=control.start, readout=False, layout={"width": "22em"}
    )
    numeric = all(isinstance(value, (int, float)) for value in control.values)
    if numeric and len(options) > _LONG_LIST:
        companion = _number_companion(slide, control, named)
    else:
        companion = ipywidgets.Dropdown(options=options, value=control.start, **named)
        ipywidgets.link((slide, "value"), (companion, "value"))
    return slide, ipywidgets.HBox([companion, slide])


def _number_companion(slide: Widget, control: Control, named: dict[str, Any]) -> Widget:
    """Return a number box that moves the slider to the nearest of its values, and follows it."""
    import ipywidgets

    whole = all(isinstance(value, int) for value in control.values)
    kind = ipywidgets.BoundedIntText if whole else ipywidgets.BoundedFloatText
    limits = {"min": min(control.values), "max": max(control.values)}
    companion = kind(value=control.start, **limits, **named)

    def snap(change: Any) -> None:
        slide.value = min(control.values, key=lambda value: abs(value - change["new"]))
        companion.value = slide.value

    def follow(change: Any) -> None:
        companion.value = change["new"]

    companion.observe(snap, "value")
    slide.observe(follow, "value")
    return companion


open_panels: dict[str, Live] = {}
