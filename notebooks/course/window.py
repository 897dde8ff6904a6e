"""The shop window: a history to change by hand, what models offer after it, and why.

Items are added by a tap on their picture, on the shelf or among the offers. Of each item, or
of all, a modality can be hidden, or both exchanged. Two models can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course.display import escape
from course.history import READINGS, History
from course.panels import close_all, show_live, show_stills
from course.pictures import item_pictures
from course.session import is_static
from course.taps import TapView
from course.window_drawing import empty_html, history_html, offers_html, shelf_html, still

if TYPE_CHECKING:
    from course.offers import Model, Offer
    from msm4sr_lite.dataset.dataset import Dataset

_EMPTY, _NO_KIND = "an empty history", "no kind known"


class ShopWindow:
    """The three parts of the window, each a widget: history, shelf, offers.

    Parameters
    ----------
    dataset
        The items' titles, kinds and images.
    models
        By name; the first makes the offers at the start.
    histories
        Ready histories by name; the first is shown first.
    """

    def __init__(
        self, dataset: Dataset, models: Mapping[str, Model], histories: Mapping[str, History]
    ) -> None:
        import ipywidgets

        self.models, self.histories = models, {**histories, _EMPTY: History()}
        self.pictures = {picture.item_id: picture for picture in item_pictures(dataset)}
        self.kinds: dict[str, list[str]] = {}
        for item_id, item in dataset.items.items():
            kind = item.categories[0] if item.categories else _NO_KIND
            self.kinds.setdefault(kind, []).append(item_id)
        self.kinds = dict(sorted(self.kinds.items(), key=lambda kind: (kind[0] == _NO_KIND, kind)))
        self.kind, self.start = next(iter(self.kinds)), next(iter(self.histories))
        self.history = self.histories[self.start]
        self.sides = [next(iter(models)), ""]
        self._before: dict[str, set[str]] = {}  # offers of the last drawing, by model
        self.parts = [TapView(part, self.tap) for part in ("history", "shelf", "offers")]
        self.box = ipywidgets.VBox([part.box for part in self.parts])
        self.box.add_class("msm4sr-shop")
        self._draw_shelf()
        self.redraw()

    def tap(self, name: str, value: str) -> None:
        """Do what a part of the window stands for; what is no longer there does nothing."""
        act, _, what = name.partition(":")
        if act == "kind" and value in self.kinds:
            self.kind = value
            self._draw_shelf()
            return
        if act in ("first", "second") and value in ("", *self.models)[act == "first" :]:
            self.sides[act == "second"] = value
            self._before = {}
        elif act == "start" and value in self.histories:
            self.start, self.history = value, self.histories[value]
            self._before = {}
        elif act == "add" and what in self.pictures:
            self.history = self.history.add(what)
        elif act == "read-all" and value in READINGS:
            self.history = self.history.read_all(value)
        elif what.isdecimal() and 1 <= int(what) <= len(self.history.entries):
            self.history = self._edit(act, int(what), value)
        else:
            return
        self.redraw()

    def _edit(self, act: str, position: int, value: str) -> History:
        if act == "read" and value in READINGS:
            return self.history.read(position, value)
        if act == "remove":
            return self.history.remove(position)
        return self.history.move(position, {"earlier": -1, "later": 1}.get(act, 0))

    def redraw(self) -> None:
        """Draw history and offers; an error is shown in the offers' place."""
        above, _, below = self.parts
        above.show(*history_html(self.history, self.pictures, list(self.histories), self.start))
        try:
            below.show(*self._draw_offers())
        except Exception as error:  # a student may have changed what makes the offers
            message = f"No offers can be made. {type(error).__name__}: {error}"
            below.show(f"<p><strong>{escape(message)}</strong></p>", [])

    def _draw_shelf(self) -> None:
        self.parts[1].show(*shelf_html(self.kinds, self.kind, self.pictures))

    def _draw_offers(self) -> tuple[str, list[tuple[str, str, str]]]:
        if not self.history.entries:
            return empty_html(), []
        drawn: list[tuple[str, Sequence[Offer], set[str], str]] = []
        seen: dict[str, set[str]] = {}
        for name in self.sides:
            offers = self.models[name].offers(self.history) if name else []
            seen[name] = {offer.item_id for offer in offers}
            new = seen[name] - self._before.get(name, seen[name])
            note = ""
            if name and not self.history.is_plain:
                plain = self.models[name].offers(self.history.read_all("both"))
                stay = len(seen[name] & {offer.item_id for offer in plain})
                note = f"{stay} of {len(plain)} as when text and picture of all items are read"
            drawn.append((name, offers, new, note))
        self._before = seen
        first, second = self.sides
        summary = f"{first}: {len(seen[first])} offers"
        if second:
            summary += f"; {second}: {len(seen[second])}; {len(seen[first] & seen[second])} in both"
        summary += ". A tap adds an offer to the history."
        return offers_html(drawn, list(self.models), self.pictures, summary)

    def close(self) -> None:
        """Remove all widgets of the window from the notebook and the kernel."""
        close_all(self.box)


def show_window(
    dataset: Dataset,
    models: Mapping[str, Model],
    histories: Mapping[str, History],
    *,
    title: str = "shop window",
) -> None:
    """Show the shop window; in a build, the first history with the offers of the first two models.

    Parameters
    ----------
    dataset, models, histories
        As for :class:`ShopWindow`.
    title
        Names the window. Running the cell again closes the earlier one of the same title.
    """
    if is_static():
        name, history = next(iter(histories.items()))
        pictures = {picture.item_id: picture for picture in item_pictures(dataset)}
        lists = {one: model.offers(history) for one, model in list(models.items())[:2]}
        show_stills(title, [(name, still(history, lists, pictures))], least="60em", most="60em")
    summary = (
        "start with a user's history or an empty one; add items by their picture, move and remove"
        " them; hide or exchange the modalities of one item or of all; compare two models"
    )
    show_live(title, summary, lambda: ShopWindow(dataset, models, histories))
