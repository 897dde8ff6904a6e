"""A history that can be edited by hand, drawn with its recommendations and their explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from course.display import escape
from course.gallery import images_html
from course.strips import Card, item_card, strips
from course.style import PALETTE

if TYPE_CHECKING:
    from course.explainer import Explainer
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.effects import KeywordDeletions
    from msm4sr_lite.explain.evidence import Evidence

N_RECOMMENDATIONS = 10
_Modality: TypeAlias = Literal["text", "image"]
_OTHER: dict[_Modality, _Modality] = {"text": "image", "image": "text"}
_LEFT = 'style="text-align:left"'


@dataclass(frozen=True)
class History:
    """Items, oldest first, some with text and image swapped. Every change makes a new history.

    Attributes
    ----------
    entries
        Item id, and whether its text embedding stands in the image sequence and the other way
        round.
    """

    entries: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def from_items(cls, items: Sequence[str]) -> History:
        """Return a history of ``items``, nothing swapped."""
        return cls(tuple((item, False) for item in items))

    @property
    def items(self) -> list[str]:
        """The item ids, oldest first."""
        return [item for item, _ in self.entries]

    @property
    def swapped(self) -> set[int]:
        """The positions, counted from 1, whose modalities are swapped."""
        return {position for position, (_, swap) in enumerate(self.entries, 1) if swap}

    def add(self, item: str) -> History:
        """Return the history with ``item`` as its newest."""
        return History((*self.entries, (item, False)))

    def remove(self, position: int) -> History:
        """Return the history without the item at ``position``, counted from 1."""
        return History(self.entries[: position - 1] + self.entries[position:])

    def move(self, position: int, by: int) -> History:
        """Return the history with the item at ``position`` moved; it stops at the ends."""
        rest = self.remove(position).entries
        to = min(max(position - 1 + by, 0), len(rest))
        return History((*rest[:to], self.entries[position - 1], *rest[to:]))

    def swap(self, position: int) -> History:
        """Return the history with the modalities of one item swapped, or swapped back."""
        item, swap = self.entries[position - 1]
        before, after = self.entries[: position - 1], self.entries[position:]
        return History((*before, (item, not swap), *after))


class HistoryView:
    """Draws a history with its recommendations: what the editor shows, without widgets.

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

    def draw(self, history: History, chosen: int = 0) -> tuple[str, str, list[str]]:
        """Return HTML, plain text, and the recommended item ids, best first.

        ``chosen`` is the recommendation that is explained in full, 0 the best.
        """
        if not history.entries:
            text = "The history is empty: add an item, or start with a user."
            return f"<p>{text}</p>", text, []
        above, lines = self._draw_strip(history)
        found = self.explainer.recommend(history.items, N_RECOMMENDATIONS, swapped=history.swapped)
        items = [entry.item_id for entry in found]
        chosen = min(chosen, len(items) - 1)
        evidence = self.explainer.explain(
            history.items,
            items[chosen],
            swapped=history.swapped,
            keyword_deletions=self.deletions,
        )
        terms = [
            " + ".join([f"{modality} {value:.2f}" for modality, value in entry.by_modality.items()])
            for entry in found
        ]
        titles = [f"{n}. {self.title(item)}" for n, item in enumerate(items, 1)]
        gallery = images_html(
            [
                self.dataset.image_root / item.images[0] if item and item.images else None
                for item in map(self.dataset.items.get, items)
            ],
            titles,
            [[term] for term in terms],
            columns=5,
            size=112,
            caption="The recommendations, best first, with their score by modality",
        )
        below, why = evidence_table(evidence, self.dataset, f"Why {titles[chosen]}?")
        scored = [
            f"{title}: score {entry.score:.2f} = {term}"
            for title, entry, term in zip(titles, found, terms, strict=True)
        ]
        html = "".join(
            f'<div style="overflow-x:auto;margin-bottom:0.6em">{block}</div>'
            for block in (above, gallery, below)
        )
        return html, "\n".join([lines, *scored, why]), items

    def _draw_strip(self, history: History) -> tuple[str, str]:
        rows: dict[str, list[Card]] = {}
        for modality, other in _OTHER.items():
            if modality in self.explainer.model.modalities:
                rows[f"{modality} sequence"] = [
                    item_card(
                        self.dataset.items[item],
                        other if swap else modality,
                        self.dataset.image_root,
                        self.explainer.keywords.get(item, []),
                    )
                    for item, swap in history.entries
                ]
        head = [f"{n} ⇅" if swap else n for n, (_, swap) in enumerate(history.entries, 1)]
        count = len(history.entries)
        caption = f"The history, oldest first: {count} {'item' if count == 1 else 'items'}"
        if history.swapped:
            caption += f", text and image swapped at {', '.join(map(str, sorted(history.swapped)))}"
        return strips(rows, head, f"{caption}.")


def evidence_table(evidence: Sequence[Evidence], dataset: Dataset, caption: str) -> tuple[str, str]:
    """Return the strongest evidence for an item and against it, as HTML and as text.

    Parameters
    ----------
    evidence
        About one recommended item.
    dataset
        The items' titles.
    caption
        Stands above the table.
    """
    from msm4sr_lite.explain.evidence import NO_EVIDENCE, describe_input, strongest_evidence

    shown = strongest_evidence(evidence, 3, {"interaction"})
    shown += strongest_evidence(evidence, 2, {"sentence", "image", "keyword"})
    shown += sorted((p for p in evidence if p.effect < -0.005), key=lambda p: p.effect)[:1]
    if not shown:
        return (
            f"<p><strong>{escape(caption)}</strong><br>{NO_EVIDENCE}</p>",
            f"{caption} {NO_EVIDENCE}",
        )
    largest = max(abs(piece.effect) for piece in shown)
    rows, lines = [], [caption]
    for piece in shown:
        text = describe_input(piece, dataset.items)
        weight = "" if piece.attention is None else f"{piece.attention:.2f}"
        colour = PALETTE[0] if piece.effect > 0 else PALETTE[5]
        width = 6 * abs(piece.effect) / largest
        bar = f'<div style="background:{colour};height:0.8em;width:{width:.1f}em"></div>'
        rows.append(
            f'<tr style="background:none"><th scope="row">{piece.effect:+z.2f}</th>'
            f"<td>{bar}</td><td {_LEFT}>{escape(text)}</td><td>{weight}</td></tr>"
        )
        attention = f"; attention {weight}" if weight else ""
        lines.append(f"{piece.effect:+z.2f} {text}{attention}")
    head = "".join(
        f'<th scope="col" {_LEFT}>{name}</th>' for name in ("effect", "", "left out", "attention")
    )
    table = (
        f"<table><caption {_LEFT}><strong>{escape(caption)}</strong></caption>"
        f"<tr>{head}</tr>{''.join(rows)}</table>"
    )
    return table, "\n".join(lines)
