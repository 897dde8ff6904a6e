"""What can be changed in a panel: sliders, lists, boxes to tick, and lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ipywidgets import Widget

    from course.pictures import Picture

# With more steps than this, a slider's companion is a number box instead of a list, and a list is
# no longer read out.
_LONG_LIST = 12


@dataclass(frozen=True)
class Control:
    """One thing that can be changed in a panel; made by :func:`slider` and its siblings."""

    name: str
    label: str
    kind: Literal["slider", "choice", "toggle", "entry", "picture"]
    values: tuple[Any, ...]
    start: Any
    live: bool = False
    pictures: tuple[Picture, ...] = ()

    def summary(self) -> str:
        """Return in words what can be set."""
        if self.kind == "slider":
            first, last = format_value(self.values[0]), format_value(self.values[-1])
            return f"{self.label} from {first} to {last}"
        if self.kind == "picture":
            return f"{self.label}: one of {len(self.values)} pictures"
        if self.kind == "choice" and len(self.values) > _LONG_LIST:
            return f"{self.label}: one of {len(self.values)}"
        if self.kind == "choice":
            return f"{self.label}: {' or '.join(format_value(value) for value in self.values)}"
        return f"{self.label} on or off" if self.kind == "toggle" else f"{self.label} (free text)"

    def say(self, value: Any) -> str:
        """Return a value as it is shown to a reader."""
        titles = {picture.item_id: picture.title for picture in self.pictures}
        return titles.get(value) or format_value(value)


def format_value(value: Any) -> str:
    """Return a value as it is shown to a reader."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def listed(kind: Any, name: str, values: Sequence[Any], start: Any, label: str) -> Control:
    """Make a control with a list of values; it starts at the first one unless told otherwise."""
    start = values[0] if start is None else start
    if start not in values:
        raise ValueError(f"{name} must start at one of its values {list(values)}; got {start!r}")
    return Control(name, label or name.replace("_", " "), kind, tuple(values), start)


def slider(
    name: str, values: Sequence[Any], start: Any = None, label: str = "", *, live: bool = False
) -> Control:
    """Make a slider over ``values``, with a named list or number box beside it.

    With ``live=True`` the panel is redrawn while the slider is dragged, if a redraw is quick
    enough; else once it rests.
    """
    return replace(listed("slider", name, values, start, label), live=live)


def choice(name: str, values: Sequence[Any], start: Any = None, label: str = "") -> Control:
    """Make a drop-down list."""
    return listed("choice", name, values, start, label)


def toggle(name: str, start: bool = False, label: str = "") -> Control:
    """Make a box to tick."""
    return listed("toggle", name, (False, True), start, label)


def entry(name: str, start: str, label: str = "") -> Control:
    """Make a line of free text; the panel redraws on Enter."""
    return Control(name, label or name.replace("_", " "), "entry", (), start)


def make_widgets(control: Control, label_width: str) -> tuple[Widget, Widget]:
    """Return the widget that holds the control's value, and the row to show."""
    import ipywidgets

    if control.kind == "picture":
        from course.pictures import make_grid

        return make_grid(control)
    named = {
        "description": control.label,
        "style": {"description_width": label_width},
        "layout": {"width": "max-content", "min_width": "16em", "max_width": "100%"},
    }
    if control.kind == "toggle":
        named["style"] = {"description_width": "initial"}
        holder = ipywidgets.Checkbox(control.start, indent=False, **named)
        return holder, holder
    if control.kind == "entry":
        named["layout"] = {"width": "32em", "max_width": "100%"}
        holder = ipywidgets.Text(control.start, continuous_update=False, **named)
        return holder, holder
    options = [(format_value(value), value) for value in control.values]
    if control.kind == "choice":
        holder = ipywidgets.Dropdown(options=options, value=control.start, **named)
        return holder, holder
    # The slider itself has no name that a screen reader could say, so its companion carries it.
    wide = {"width": "auto", "flex": "1 1 14em", "min_width": "10em", "max_width": "48em"}
    wide["margin"] = "2px 16px"  # the handle is wider than the end of its track
    slide = ipywidgets.SelectionSlider(
        options=options, value=control.start, readout=False, layout=wide
    )
    numeric = all(isinstance(value, (int, float)) for value in control.values)
    if numeric and len(options) > _LONG_LIST:
        companion = _number_companion(slide, control, named)
    else:
        companion = ipywidgets.Dropdown(options=options, value=control.start, **named)
        ipywidgets.link((slide, "value"), (companion, "value"))
    row = ipywidgets.HBox([companion, slide], layout={"flex_flow": "row wrap"})
    return slide, row


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
