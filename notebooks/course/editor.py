"""The history editor: change a history by hand, and see the recommendations and why.

History and recommendations are drawn anew into one HTML widget after every change, as in
``panels``; the buttons are tall enough for a finger. What is drawn first stays as the durable
output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from course.display import escape, isolate, without_math
from course.history import History, HistoryView
from course.panels import close_all, show_live, show_stills

if TYPE_CHECKING:
    from ipywidgets import Button, Dropdown, HBox

    from course.explainer import Explainer
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.effects import KeywordDeletions

# Core widgets read their sizes from these; 44 pixels are enough for a finger.
_STYLE = (
    "<style>.msm4sr-editor{--jp-widgets-font-size:17px;--jp-widgets-inline-height:44px;"
    "--jp-widgets-inline-label-width:6.5em}"
    ".msm4sr-editor .widget-html-content{font-size:17px;line-height:1.4}</style>"
)


class HistoryEditor:
    """The widgets of the editor, wired to one HTML widget that shows the history.

    Parameters
    ----------
    drawer
        Draws a history and its recommendations.
    histories
        Ready histories by name; the first is shown first.
    """

    def __init__(self, drawer: HistoryView, histories: Mapping[str, History]) -> None:
        import ipywidgets

        self.drawer, self._histories = drawer, {**histories, "an empty history": History()}
        self.history = next(iter(self._histories.values()))
        self._kinds: dict[str, list[str]] = {}
        for item in drawer.explainer.recommender.item_number:
            self._kinds.setdefault(_kind(drawer.dataset, item), []).append(item)

        self.start = _dropdown("start with", list(self._histories), self._restart)
        self.kind = _dropdown("kind", sorted(self._kinds), self._list_items)
        self.item = _dropdown("item", [], None)
        self.position = _dropdown("position", [], self._enable_buttons)
        self.recommended = _dropdown("explain", [], self.redraw)
        self.add = _button("Add to history", self._add)
        self.earlier = _button("Earlier", lambda: self._edit(self.history.move, -1))
        self.later = _button("Later", lambda: self._edit(self.history.move, 1))
        self.swap = _button("Swap text and image", lambda: self._edit(self.history.swap))
        self.remove = _button("Remove", lambda: self._edit(self.history.remove))
        self.view = ipywidgets.HTML()
        rows = [
            _row(self.start),
            _row(self.kind, self.item, self.add),
            _row(self.position, self.earlier, self.later, self.swap, self.remove),
            _row(self.recommended),
        ]
        frame = {"border": "1px solid #bbbbbb", "padding": "0.5em"}
        self.box = ipywidgets.VBox([*rows, self.view], layout=frame)
        self.box.add_class("msm4sr-editor")
        self._list_items()
        self._set(self.history, len(self.history.entries))

    # What the controls do ------------------------------------------------------------------

    def _restart(self) -> None:
        history = self._histories[self.start.value]
        self._set(history, len(history.entries))

    def _list_items(self) -> None:
        items = self._kinds[self.kind.value]
        self.item.options = [(f"{self._title(i)} ({_one_line(i)})", i) for i in items]
        self.item.value = items[0]

    def _add(self) -> None:
        self._set(self.history.add(self.item.value), len(self.history.entries) + 1)

    def _edit(self, change: Callable[..., History], by: int = 0) -> None:
        position = self.position.value
        if position is not None:
            self._set(change(position, by) if by else change(position), position + by)

    def _enable_buttons(self) -> None:
        position, size = self.position.value, len(self.history.entries)
        self.earlier.disabled = position in (None, 1)
        self.later.disabled = position in (None, size)
        self.remove.disabled = position is None
        self.swap.disabled = position is None or len(self.drawer.explainer.model.modalities) == 1

    # What they lead to ---------------------------------------------------------------------

    def _set(self, history: History, position: int) -> None:
        """Take a new history, point at one of its positions, and draw it."""
        self.history, size = history, len(history.entries)
        _fill(
            self.position,
            [(f"{n}. {self._title(item)}", n) for n, item in enumerate(history.items, 1)],
            min(max(position, 1), size) if size else None,
        )
        self._enable_buttons()
        _fill(self.recommended, [], None)
        self.redraw()

    def redraw(self) -> None:
        """Draw the history; an error is shown in its place."""
        try:
            html, _, items = self.drawer.draw(self.history, self.recommended.value or 0)
        except Exception as error:  # a learner may have changed what is drawn
            message = f"This history cannot be drawn. {type(error).__name__}: {error}"
            html, items = f"<p><strong>{escape(message)}</strong></p>", []
        if len(self.recommended.options) != len(items):
            named = [(f"{n}. {self._title(i)}", n - 1) for n, i in enumerate(items, 1)]
            _fill(self.recommended, named, 0 if named else None)
        self.view.value = without_math(_STYLE + html)

    def _title(self, item_id: str) -> str:
        return _one_line(self.drawer.title(item_id))

    def close(self) -> None:
        """Remove all widgets of the editor from the notebook and the kernel."""
        close_all(self.box)


def _kind(dataset: Dataset, item_id: str) -> str:
    item = dataset.items.get(item_id)
    return _one_line(item.categories[0]) if item and item.categories else "(no category)"


def _one_line(text: str) -> str:
    return isolate(" ".join(text.split()))


def _dropdown(label: str, options: list[Any], act: Callable[[], None] | None) -> Dropdown:
    import ipywidgets

    widget = ipywidgets.Dropdown(
        options=options, description=label, layout={"width": "auto", "min_width": "22em"}
    )
    widget.muted = False
    if act is not None:
        widget.observe(lambda change: None if widget.muted else act(), "value")
    return widget


def _fill(widget: Dropdown, options: list[tuple[str, Any]], value: Any) -> None:
    """Give a list other options without acting on it."""
    widget.muted = True
    widget.options = options
    widget.value = value
    widget.muted = False


def _button(label: str, act: Callable[[], None]) -> Button:
    import ipywidgets

    button = ipywidgets.Button(description=label, layout={"width": "auto", "height": "44px"})
    button.style.font_size = "17px"
    button.on_click(lambda _: act())
    return button


def _row(*widgets: Any) -> HBox:
    import ipywidgets

    return ipywidgets.HBox(list(widgets), layout={"flex_flow": "row wrap", "margin": "2px 0"})


def edit_history(
    explainer: Explainer,
    dataset: Dataset,
    histories: Mapping[str, History],
    *,
    title: str = "history editor",
    deletions: KeywordDeletions | None = None,
) -> None:
    """Show the history editor: two ready histories as durable output, then a live part.

    Parameters
    ----------
    explainer
        Recommends and explains.
    dataset
        The items' titles and images.
    histories
        Ready histories by name. The first two are drawn as durable output.
    title
        Names the panel. Running the cell again closes the earlier editor of the same title.
    deletions
        Embeddings of keywords without each of them; see ``Explainer.explain``.
    """
    drawer = HistoryView(explainer, dataset, deletions)
    drawn = [(name, drawer.draw(history)[:2]) for name, history in list(histories.items())[:2]]
    show_stills(title, drawn, least="60em", most="60em")
    summary = (
        "start with a user's history or an empty one; add, remove and move items; swap an item's"
        " text and image; choose the recommendation to explain"
    )
    show_live(title, summary, lambda: HistoryEditor(drawer, histories))
