"""The cold-item maker: an item without interactions, and which users would be offered it.

A new item is put together from the text of one item and the image of another. The users' states
and the score of their tenth recommendation are computed once, so that a new item costs one pass of
the item side and one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from course.display import escape
from course.gallery import images_html
from course.strips import Card, item_card, strips
from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import concat_normalized, gather_rows
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences, pad

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset

K = 10  # places that count as an offer
LAST = 4  # interactions shown of a user


def combine_item(
    table: FeatureTable, text: int | np.ndarray | None, image: int | None, name: str = "new"
) -> FeatureTable:
    """Return the features of one new item: entry 1, named ``name``, behind the padding.

    Parameters
    ----------
    table
        Where the slots come from.
    text
        Number of the item whose text it gets; or embeddings of other sentences,
        ``(sentences, D)``; None for no text.
    image
        Number of the item whose images it gets; None for none.
    name
        Its id.

    Raises
    ------
    UserError
        If the item has neither text nor image.
    """
    if isinstance(text, np.ndarray):
        sentences = make_slots(text, np.array([0, len(text)], dtype=np.int64))
    else:
        sentences = _select(table.text, text)
    images = _select(table.image, image)
    if not int(sentences.counts[1] + images.counts[1]):
        raise UserError("an item needs a text or an image to be scored; choose at least one")
    return FeatureTable(["", name], sentences, images, {})


def _select(slots: Slots, item: int | None) -> Slots:
    return slots.select(torch.tensor([0, item or 0]))


@dataclass(frozen=True)
class Exposure:
    """Who would be offered a new item.

    Attributes
    ----------
    share
        Share of the users who have it among their first ten.
    ranks
        Its rank in each user's list, behind equal scores, ``(users,)``.
    neighbours
        Numbers of the most similar items, best first.
    cosines
        Their cosines, the mean over the modalities.
    """

    share: float
    ranks: np.ndarray
    neighbours: list[int]
    cosines: list[float]


class NewItemScorer:
    """All users with their recommendation lists, ready for one more item.

    Parameters
    ----------
    scorer
        The model with all items, numbered as ``sequences``.
    table
        Features of all items.
    sequences
        The users' complete histories.
    id_scorer
        A recommender that uses item ids only, for comparison.
    """

    def __init__(
        self, scorer: ModelScorer, table: FeatureTable, sequences: Sequences, id_scorer: Scorer
    ) -> None:
        self.scorer, self.table, self.sequences = scorer, table, sequences
        self.histories = [sequences.user_sequence(user) for user in range(len(sequences.users))]
        self.lists = self._sorted(scorer.score(self.histories))
        self.id_lists = self._sorted(id_scorer.score(self.histories))
        longest = scorer.model.config.max_len
        last = torch.tensor([min(len(h), longest) - 1 for h in self.histories])
        with torch.inference_mode():
            rows = gather_rows(scorer.items, pad(self.histories, longest))
            states = scorer.model.encode(rows)
            users = torch.arange(len(last))
            self.states = concat_normalized({m: h[users, last] for m, h in states.items()})

    def _sorted(self, scores: torch.Tensor) -> np.ndarray:
        """Return each user's scores in ascending order, items of the history with the lowest."""
        scores = scores.clone().float()
        scores[:, 0] = -torch.inf
        rows = np.repeat(np.arange(len(self.histories)), [len(h) for h in self.histories])
        scores[rows, np.concatenate(self.histories)] = -torch.inf
        return scores.sort(dim=1).values.numpy()

    @torch.inference_mode()
    def score_item(self, new: FeatureTable, neighbours: int = 5) -> Exposure:
        """Return who would be offered the only item of ``new``."""
        model = self.scorer.model
        unit = concat_normalized(model.item_embeddings(new, torch.tensor([1])))
        scores = (self.states @ unit.T).numpy()
        ranks = 1 + (self.lists >= scores).sum(axis=1)
        cosines = (self.scorer.units[1:] @ unit[0]) / len(model.modalities)
        best = cosines.topk(neighbours)
        return Exposure(
            float((ranks <= K).mean()), ranks, (1 + best.indices).tolist(), best.values.tolist()
        )

    def share_by_id(self) -> float:
        """Return who an id-only recommender offers it to: a share; its score is always 0."""
        return float(((self.id_lists >= 0).sum(axis=1) < K).mean())


class ColdItemMaker:
    """What the panel of notebook 08 shows.

    Parameters
    ----------
    scorer
        The users and the model.
    dataset
        Titles and images.
    keywords
        ``item_id ->`` the keywords of each image.
    """

    def __init__(
        self, scorer: NewItemScorer, dataset: Dataset, keywords: dict[str, list[list[str]]]
    ) -> None:
        self.scorer, self.dataset, self.keywords = scorer, dataset, keywords
        self.number = {item: i for i, item in enumerate(scorer.sequences.items) if i}

    def draw(
        self, text: str | None, image: str | None, sentence: tuple[str, np.ndarray] | None = None
    ) -> tuple[str, str]:
        """Return HTML and plain text for a new item.

        Parameters
        ----------
        text, image
            Ids of the items whose text and whose image it gets, or None.
        sentence
            Instead of ``text``: another sentence and its embedding, ``(1, D)``.
        """
        source = sentence[1] if sentence else self.number[text] if text else None
        try:
            new = combine_item(self.scorer.table, source, self.number[image] if image else None)
        except UserError as error:
            return f"<p><strong>{escape(error)}</strong></p>", str(error)
        exposure = self.scorer.score_item(new)
        title = sentence[0] if sentence else self._title(text) if text else "no text"
        keywords = list(self.keywords[image][0]) if image else ["no image"]
        head = f"{title} + {', '.join(keywords)}"
        lines = [
            f"Offered to {exposure.share:.1%} of the users, among their first ten"
            f" (a random item: {K / len(self.scorer.sequences.items):.1%}).",
            f"By ItemKNN, which uses item ids only: {self.scorer.share_by_id():.1%}.",
        ]
        first = np.argsort(exposure.ranks, kind="stable")[:3]
        users, users_text = self._users(first, exposure.ranks)
        near, near_text = self._neighbours(exposure)
        shown = self._image(image) if image else None
        item = images_html([shown], [title], [keywords], size=96)
        summary = "".join(f"<p>{escape(line)}</p>" for line in lines)
        markup = (
            f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:center">{item}'
            f"<div>{summary}</div></div>{users}{near}"
        )
        return markup, "\n".join([head, *lines, users_text, near_text])

    def _title(self, item: str) -> str:
        return self.dataset.items[item].title or "(no title)"

    def _image(self, item: str) -> Path | None:
        images = self.dataset.items[item].images
        return self.dataset.image_root / images[0] if images else None

    def _users(self, users: np.ndarray, ranks: np.ndarray) -> tuple[str, str]:
        rows: dict[str, list[Card]] = {}
        for user in users.tolist():
            items = [self.scorer.sequences.items[i] for i in self.scorer.histories[user][-LAST:]]
            name = f"{self.scorer.sequences.users[user]}: rank {ranks[user]}"
            rows[name] = [self._card(item) for item in items]
        places = ["", "", "", "newest"][-max(map(len, rows.values())) :]
        return strips(rows, places, "Users who rank it highest, with their newest items")

    def _card(self, name: str) -> Card:
        item = self.dataset.items[name]
        keywords = self.keywords.get(name, [])
        modality: Literal["image", "text"] = "image" if item.images else "text"
        return item_card(item, modality, self.dataset.image_root, keywords, size=56)

    def _neighbours(self, exposure: Exposure) -> tuple[str, str]:
        names = [self.scorer.sequences.items[i] for i in exposure.neighbours]
        titles = [
            f"{self._title(n)} ({c:.2f})" for n, c in zip(names, exposure.cosines, strict=True)
        ]
        caption = "The most similar items, with their cosine"
        html = images_html(
            [self._image(name) for name in names], titles, columns=5, size=64, caption=caption
        )
        return html, f"{caption}: {'; '.join(titles)}"
