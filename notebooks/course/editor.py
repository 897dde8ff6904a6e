"""The sequence editor: change a basket by hand, and see the offers, their scores and why.

Basket and offers are drawn anew into one HTML widget after every change, as in ``panels``; the
buttons are tall enough for a finger. What was drawn first stays as the durable output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from course.display import escape, isolate
from course.gallery import pictures_html
from course.panels import close_all, show_live, show_stills
from course.strips import Card, card, strips
from course.style import PALETTE

if TYPE_CHECKING:
    from ipywidgets import Button, Dropdown, HBox

    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.evidence import Evidence
    from msm4sr_lite.explain.explainer import Explainer
    from msm4sr_lite.explain.inputs import KeywordDeletions

View: TypeAlias = Literal["text", "image"]
_EXCHANGED: tuple[tuple[View, View], ...] = (("text", "image"), ("image", "text"))
OFFERS = 10
# Core widgets read their sizes from these; 44 pixels are enough for a finger.
_STYLE = (
    "<style>.msm4sr-editor{--jp-widgets-font-size:17px;--jp-widgets-inline-height:44px;"
    "--jp-widgets-inline-label-width:6.5em}"
    ".msm4sr-editor .widget-html-content{font-size:17px;line-height:1.4}</style>"
)
_LEFT = 'style="text-align:left"'


@dataclass(frozen=True)
class Basket:
    """Items in the order they were bought, some with text and picture exchanged.

    Attributes
    ----------
    entries
        Item id, and whether its text vector stands in the picture view and the other way round.
    """

    entries: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def of(cls, items: Sequence[str]) -> Basket:
        """Return a basket of ``items``, nothing exchanged."""
        return cls(tuple((item, False) for item in items))

    @property
    def items(self) -> list[str]:
        """The item ids, oldest first."""
        return [item for item, _ in self.entries]

    @property
    def swapped(self) -> set[int]:
        """The places, counted from 1, whose modalities are exchanged."""
        return {place for place, (_, swap) in enumerate(self.entries, 1) if swap}

    def added(self, item: str) -> Basket:
        """Return the basket with ``item`` as its newest."""
        return Basket((*self.entries, (item, False)))

    def removed(self, place: int) -> Basket:
        """Return the basket without the item at ``place``, counted from 1."""
        return Basket(self.entries[: place - 1] + self.entries[place:])

    def moved(self, place: int, by: int) -> Basket:
        """Return the basket with the item at ``place`` moved; it stops at the ends."""
        rest = self.removed(place).entries
        to = min(max(place - 1 + by, 0), len(rest))
        return Basket((*rest[:to], self.entries[place - 1], *rest[to:]))

    def exchanged(self, place: int) -> Basket:
        """Return the basket with the modalities of one item exchanged, or put back."""
        item, swap = self.entries[place - 1]
        return Basket((*self.entries[: place - 1], (item, not swap), *self.entries[place:]))


class Desk:
    """Draws a basket with its offers: what the panel shows, without widgets.

    Parameters
    ----------
    explainer
        Recommends and explains.
    dataset
        The items' titles and images.
    deletions
        Embeddings of keywords without each of them, where there are some; see
        ``Explainer.explain``.
    """

    def __init__(
        self, explainer: Explainer, dataset: Dataset, deletions: KeywordDeletions | None = None
    ) -> None:
        self.explainer, self.dataset, self.deletions = explainer, dataset, deletions

    def title(self, item_id: str) -> str:
        """Return an item's title, or its id."""
        from msm4sr_lite.explain.evidence import item_title

        return item_title(self.dataset.items, item_id)

    def draw(self, basket: Basket, chosen: int = 0) -> tuple[str, str, list[str]]:
        """Return HTML, plain text, and the offered item ids, best first.

        ``chosen`` is the offer whose reasons are listed in full, 0 the best.
        """
        if not basket.entries:
            text = "The basket is empty: add an item, or start with a customer."
            return f"<p>{text}</p>", text, []
        above, words = self._strip(basket)
        swapped = basket.swapped
        offers = self.explainer.recommend(basket.items, OFFERS, swapped=swapped)
        items = [offer.item_id for offer in offers]
        why = self.explainer.explain_many(
            basket.items, items, swapped=swapped, keyword_deletions=self.deletions
        )
        captions = [
            [" + ".join([f"{view} {value:.2f}" for view, value in offer.by_modality.items()])]
            for offer in offers
        ]
        found = [self.dataset.items.get(item) for item in items]
        titles = [f"{n}. {self.title(item)}" for n, item in enumerate(items, 1)]
        gallery = pictures_html(
            [
                self.dataset.image_root / item.images[0] if item and item.images else None
                for item in found
            ],
            titles,
            captions,
            columns=5,
            size=112,
            caption="What the model offers next, best first, with its score by view",
        )
        chosen = min(chosen, len(items) - 1)
        reasons, lines = reasons_table(why[chosen], self.dataset, f"Why {titles[chosen]}?")
        parts = [_scrolling(above), _scrolling(gallery), _scrolling(reasons)]
        told = [
            f"{title}: score {offer.score:.2f} = {terms[0]}"
            for title, offer, terms in zip(titles, offers, captions, strict=True)
        ]
        return "".join(parts), "\n".join([words, *told, lines]), items

    def _strip(self, basket: Basket) -> tuple[str, str]:
        keywords, modalities = self.explainer.keywords, self.explainer.model.modalities
        cards: dict[View, list[Card]] = {
            view: [
                card(self.dataset.items[i], shown, self.dataset.image_root, keywords.get(i, []))
                for i, swap in basket.entries
                for shown in ((other if swap else view),)
            ]
            for view, other in _EXCHANGED
            if view in modalities
        }
        rows = {f"{view} view": own for view, own in cards.items()}
        head = [f"{n} ⇅" if swap else n for n, (_, swap) in enumerate(basket.entries, 1)]
        count = len(basket.entries)
        said = f"The basket, oldest first: {count} {'item' if count == 1 else 'items'}"
        if basket.swapped:
            said += f", text and picture exchanged at {', '.join(map(str, sorted(basket.swapped)))}"
        return strips(rows, head, f"{said}.")


def _scrolling(inside: str) -> str:
    return f'<div style="overflow-x:auto;margin-bottom:0.6em">{inside}</div>'


def reasons_table(pieces: Sequence[Evidence], dataset: Dataset, caption: str) -> tuple[str, str]:
    """Return the strongest reasons for an item and the strongest against it, as HTML and text.

    Parameters
    ----------
    pieces
        The evidence for one item.
    shop
        Where the titles stand.
    caption
        Stands above the table.
    """
    from msm4sr_lite.explain.evidence import describe_evidence, strongest_evidence

    shown = strongest_evidence(pieces, 3, {"interaction"})
    shown += strongest_evidence(pieces, 2, {"sentence", "image", "keyword"})
    shown += sorted((p for p in pieces if p.effect < -0.005), key=lambda p: p.effect)[:1]
    if not shown:
        text = "Nothing that can be left out speaks for it: with one purchase, try another."
        return f"<p><strong>{escape(caption)}</strong><br>{text}</p>", f"{caption} {text}"
    largest = max(abs(piece.effect) for piece in shown)
    rows, lines = [], [caption]
    for piece in shown:
        said = describe_evidence(piece, dataset.items).rpartition(" (")[0]
        weight = "" if piece.attention is None else f"{piece.attention:.2f}"
        colour = PALETTE[0] if piece.effect > 0 else PALETTE[5]
        width = 6 * abs(piece.effect) / largest
        bar = f'<div style="background:{colour};height:0.8em;width:{width:.1f}em"></div>'
        cells = (f"<td>{bar}</td>", f"<td {_LEFT}>{escape(said)}</td>", f"<td>{weight}</td>")
        rows.append(
            f'<tr style="background:none"><th scope="row">{piece.effect:+z.2f}</th>{"".join(cells)}'
            "</tr>"
        )
        attention = f"; attention {weight}" if weight else ""
        lines.append(f"{piece.effect:+z.2f} {said}{attention}")
    head = "".join(
        f'<th scope="col" {_LEFT}>{name}</th>' for name in ("effect", "", "left out", "attention")
    )
    table = (
        f"<table><caption {_LEFT}><strong>{escape(caption)}</strong></caption>"
        f"<tr>{head}</tr>{''.join(rows)}</table>"
    )
    return table, "\n".join(lines)


class BasketEditor:
    """The widgets of the editor, wired to one HTML widget that shows basket and offers.

    Parameters
    ----------
    desk
        Draws.
    baskets
        Ready baskets by name; the first is shown first.
    """

    def __init__(self, desk: Desk, baskets: Mapping[str, Basket]) -> None:
        import ipywidgets

        self.desk, self._baskets = desk, {**baskets, "an empty basket": Basket()}
        self.basket = next(iter(self._baskets.values()))
        self._busy = False
        self._kinds: dict[str, list[str]] = {}
        for item in desk.explainer.recommender.item_number:
            self._kinds.setdefault(_kind(desk.dataset, item), []).append(item)

        self.start = _dropdown("start with", list(self._baskets), self._restart)
        self.kind = _dropdown("kind", sorted(self._kinds), self._list_items)
        self.item = _dropdown("item", [], None)
        self.place = _dropdown("place", [], self._chosen_place)
        self.offer = _dropdown("explain", [], self._chosen_offer)
        self.add = _button("Add to basket", self._add)
        self.earlier = _button("Earlier", lambda: self._edit(self.basket.moved, -1))
        self.later = _button("Later", lambda: self._edit(self.basket.moved, 1))
        self.exchange = _button(
            "Exchange text and picture", lambda: self._edit(self.basket.exchanged)
        )
        self.remove = _button("Remove", lambda: self._edit(self.basket.removed))
        self.view = ipywidgets.HTML()
        rows = [
            _row(self.start),
            _row(self.kind, self.item, self.add),
            _row(self.place, self.earlier, self.later, self.exchange, self.remove),
            _row(self.offer),
        ]
        frame = {"border": "1px solid #bbbbbb", "padding": "0.5em"}
        self.box = ipywidgets.VBox([*rows, self.view], layout=frame)
        self.box.add_class("msm4sr-editor")
        self._list_items()
        self._set(self.basket, len(self.basket.entries))

    # What the controls do ------------------------------------------------------------------

    def _restart(self) -> None:
        basket = self._baskets[self.start.value]
        self._set(basket, len(basket.entries))

    def _list_items(self) -> None:
        items = self._kinds[self.kind.value]
        self.item.options = [(f"{_plain(self.desk.title(i))} ({_plain(i)})", i) for i in items]
        self.item.value = items[0]

    def _add(self) -> None:
        self._set(self.basket.added(self.item.value), len(self.basket.entries) + 1)

    def _edit(self, change: Callable[..., Basket], by: int = 0) -> None:
        place = self.place.value
        if place is not None:
            self._set(change(place, by) if by else change(place), place + by)

    def _chosen_place(self) -> None:
        place, size = self.place.value, len(self.basket.entries)
        self.earlier.disabled = place in (None, 1)
        self.later.disabled = place in (None, size)
        self.remove.disabled = place is None
        self.exchange.disabled = place is None or len(self.desk.explainer.model.modalities) == 1

    def _chosen_offer(self) -> None:
        self.redraw()

    # What they lead to ---------------------------------------------------------------------

    def _set(self, basket: Basket, place: int) -> None:
        """Take a new basket, point at one of its places, and draw it with its best offer."""
        self.basket, size = basket, len(basket.entries)
        _choose(
            self.place,
            [(f"{n}. {_plain(self.desk.title(i))}", n) for n, i in enumerate(basket.items, 1)],
            min(max(place, 1), size) if size else None,
        )
        self._chosen_place()
        _choose(self.offer, [], None)
        self.redraw()

    def redraw(self) -> None:
        """Draw the basket; an error is shown in the picture's place."""
        try:
            html, _, offers = self.desk.draw(self.basket, self.offer.value or 0)
        except Exception as error:  # a student may have changed what the desk uses
            html, offers = f"This basket cannot be drawn. {type(error).__name__}: {error}", []
            html = f"<p><strong>{escape(html)}</strong></p>"
        if len(self.offer.options) != len(offers):
            named = [(f"{n}. {_plain(self.desk.title(i))}", n - 1) for n, i in enumerate(offers, 1)]
            _choose(self.offer, named, 0 if named else None)
        self.view.value = _STYLE + html

    def close(self) -> None:
        """Remove all widgets of the editor from the notebook and the kernel."""
        close_all(self.box)


def _kind(dataset: Dataset, item_id: str) -> str:
    item = dataset.items.get(item_id)
    return _plain(item.categories[0]) if item and item.categories else "(no category)"


def _plain(text: str) -> str:
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


def _choose(widget: Dropdown, options: list[tuple[str, Any]], value: Any) -> None:
    """Give a list other options without acting on it."""
    widget.muted = True
    widget.options = options
    widget.value = value
    widget.muted = False


def _button(label: str, act: Callable[[], None]) -> Button:
    import ipywidgets

    layout = {"width": "auto", "height": "44px"}
    button = ipywidgets.Button(description=label, layout=layout)
    button.style.font_size = "17px"
    button.on_click(lambda _: act())
    return button


def _row(*widgets: Any) -> HBox:
    import ipywidgets

    return ipywidgets.HBox(list(widgets), layout={"flex_flow": "row wrap", "margin": "2px 0"})


def editor(
    explainer: Explainer,
    dataset: Dataset,
    baskets: Mapping[str, Basket],
    *,
    title: str = "sequence editor",
    deletions: KeywordDeletions | None = None,
) -> None:
    """Show the sequence editor: still pictures of the ready baskets, then a live part.

    Parameters
    ----------
    explainer
        Recommends and explains.
    dataset
        The items' titles and images.
    baskets
        Ready baskets by name. The first two are drawn as still pictures.
    title
        Names the panel. Running the cell again closes the earlier editor of the same title.
    deletions
        Embeddings of keywords without each of them; see ``Explainer.explain``.
    """
    desk = Desk(explainer, dataset, deletions)
    drawn = [(name, desk.draw(basket)[:2]) for name, basket in list(baskets.items())[:2]]
    show_stills(title, drawn, least="60em", most="60em")
    summary = (
        "start with a customer's basket or an empty one; add, remove and move items; exchange an"
        " item's text and picture; choose the offer to explain"
    )
    show_live(title, summary, lambda: BasketEditor(desk, baskets))
