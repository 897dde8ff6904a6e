"""What moved the score of a recommendation: each piece of evidence is left out in turn.

The pieces are the purchases, and the slots of the purchases and of the recommended item: their
sentences, pictures and, where BERT can read a picture's keywords again, words. The effect of a
piece is exact: the score with all evidence minus the score without this piece. The weight that
the slot attention gives a slot is reported beside it; a large weight need not be a large effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import Modalities, gather_rows
from msm4sr_lite.fast.encoder import run_transformer
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.mixup import complementary_mixup
from msm4sr_lite.recommend.recommender import Recommendation, Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import pad
from msm4sr_lite.similarity import cosine_scores

Kind: TypeAlias = Literal["purchase", "sentence", "picture", "word"]
KINDS: tuple[Kind, ...] = ("purchase", "sentence", "picture", "word")
# (item_id, picture counted from 1) -> BERT's vectors of its keywords without each word, (words, D)
Rereadings: TypeAlias = Mapping[tuple[str, int], Tensor]
_OTHER = {"text": "image", "image": "text"}
TOGETHER = 64  # sequences in one call of the encoder: the same speed as many, and less memory


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence for or against a recommended item.

    Attributes
    ----------
    kind
        ``purchase``, ``sentence``, ``picture`` or ``word`` (a keyword of a picture).
    item_id
        The item it belongs to.
    place
        Which purchase of the basket, counted from 1; 0 for the recommended item itself.
    part
        Which sentence or picture of the item, counted from 1; 0 for a purchase.
    text
        What a person reads: the title, the sentence, the keywords or the word.
    effect
        The score minus the score without this piece: above 0 it speaks for the recommendation.
        Scores are sums of two cosines, so an effect is at most 4.
    by_view
        The terms of the effect under ``text`` and ``image``.
    attention
        The slot's share of its item's slot attention, 0 to 1; None for purchases and for words
        that share a slot.
    """

    kind: Kind
    item_id: str
    place: int
    part: int
    text: str
    effect: float
    by_modality: dict[str, float]
    attention: float | None = None


class _Change(NamedTuple):
    """A slot of an item that is left out or, for a word, replaced by another vector."""

    item: int  # its number
    modality: str
    slot: int
    kind: Kind
    part: int
    text: str
    attention: float | None
    both: bool  # whether the other view has no slot of its own, so that it shows this one
    instead: Tensor | None = None

    def touches(self, modality: str, swapped: bool) -> bool:
        """Whether the change is seen by a view, in which a swapped item stands with the other."""
        return self.both or (self.modality == modality) != swapped


_Step: TypeAlias = "tuple[int, int | None]"  # a position, and a place in the list of changes


@dataclass(frozen=True)
class _Changes:
    """Changes, the items' vectors under each of them, and which belong to an item."""

    listed: list[_Change]
    vectors: Modalities  # per view (changes, d)
    of: dict[int, list[int]]  # item number -> places in the list


class Explainer:
    """Says what moved the scores of a recommender.

    Parameters
    ----------
    recommender
        The model at work on a shop.
    table
        The features that the recommender's scorer was made with.

    Raises
    ------
    UserError
        If an item of the recommender has no entry in ``table``.
    """

    def __init__(self, recommender: Recommender, table: FeatureTable) -> None:
        self.recommender = recommender
        self.scorer, self.model = recommender.scorer, recommender.scorer.model
        same = table.items == recommender.items
        self.table = (table if same else table.for_items(recommender.items)).to("cpu")

    @classmethod
    def load(
        cls, dataset: Dataset, model: str | Path, features: str | Path, device: str = "cpu"
    ) -> Explainer:
        """Load a model folder and the feature folder it works with; see ``Recommender.load``."""
        recommender = Recommender.load(dataset, model, features, device)
        return cls(recommender, load_feature_table(features))

    def for_basket(
        self, basket: Sequence[str], k: int = 10, *, swapped: Collection[int] = ()
    ) -> list[Recommendation]:
        """Recommend as ``Recommender.for_basket`` does, with ``swapped`` as in ``explain``."""
        if not swapped:
            return self.recommender.for_basket(basket, k, strict=False)
        places, _ = self._known(basket, swapped)
        reader = copy(self.recommender)
        reader.scorer = _SwappingScorer(self.scorer, [place in swapped for place in places])
        return reader.for_basket(basket, k, strict=False)

    @torch.inference_mode()
    def explain(
        self,
        basket: Sequence[str],
        item_ids: Sequence[str],
        *,
        swapped: Collection[int] = (),
        without: Rereadings | None = None,
    ) -> list[list[Evidence]]:
        """Return the evidence for each of ``item_ids`` after ``basket``, the strongest first.

        All sequences with something left out go through the encoder in one go, whatever the
        number of items explained.

        Parameters
        ----------
        basket
            Item ids, oldest first. Items that the model does not know are passed over; of a
            longer basket only the newest ``max_len`` count, and the one before them where one of
            them is left out.
        item_ids
            The recommended items.
        swapped
            Places of the basket, counted from 1, whose text and image vectors change places.
        without
            For each picture whose words are to be explained, its keywords read again without each
            of them (``rereading.read_without_words``). Where the table has a slot for each word
            (``image_slots = words``), words need no reading again.

        Returns
        -------
        evidence
            One list per item. A basket of one purchase has no evidence of kind ``purchase``: with
            that left out there is no score to compare with.

        Raises
        ------
        UserError
            If an item or a place is unknown, if nothing of the basket is known to the model, or
            if a model with one view is asked to swap.
        """
        places, history = self._known(basket, swapped)
        targets = self._numbers(item_ids)
        read = range(max(0, len(history) - self.model.config.max_len), len(history))
        changes = self._changes({history[i] for i in read} | set(targets), without or {})
        # What is left out of the sequence: a purchase at position i, or a change of its slots.
        steps: list[_Step] = [(i, None) for i in read] if len(history) > 1 else []
        steps += [(i, change) for i in read for change in changes.of[history[i]]]
        swaps = [place in swapped for place in places]
        states = self._states(history, steps, changes, swaps)

        wanted = torch.tensor(targets, dtype=torch.long, device=self.scorer.device)
        scores = {
            modality: cosine_scores(state, self.scorer.items[modality][wanted])
            for modality, state in states.items()
        }
        drops = {modality: (rows[:1] - rows[1:]).T.tolist() for modality, rows in scores.items()}
        found: list[list[Evidence]] = []
        for column, target in enumerate(targets):
            pieces = [
                self._evidence(
                    history[i], places[i], changes.listed[c] if c is not None else None, e
                )
                for (i, c), e in zip(steps, _by_view(drops, column), strict=True)
            ]
            own = changes.of[target]
            new = {
                modality: cosine_scores(state[:1], changes.vectors[modality][own])
                for modality, state in states.items()
            }
            fall = {
                modality: (scores[modality][0, column] - new[modality]).tolist() for modality in new
            }
            pieces += [
                self._evidence(target, 0, changes.listed[c], e)
                for c, e in zip(own, _by_view(fall, 0), strict=True)
            ]
            found.append(sorted(pieces, key=lambda piece: -piece.effect))
        return found

    def _known(
        self, basket: Sequence[str], swapped: Collection[int]
    ) -> tuple[list[int], list[int]]:
        """Return the places in the basket and the numbers of what the encoder may read."""
        if swapped and len(self.model.modalities) == 1:
            raise UserError(
                f"this model has the {self.model.modalities[0]} view alone: nothing to swap"
            )
        if wrong := [place for place in swapped if not 1 <= place <= len(basket)]:
            raise UserError(f"a basket of {len(basket)} has no place {wrong[0]} to swap")
        number = self.recommender.number
        known = [(k, number[item]) for k, item in enumerate(basket, 1) if item in number]
        if not known:
            raise UserError("no item of the basket is in the model's catalogue; nothing to go by")
        known = known[-self.model.config.max_len - 1 :]
        return [place for place, _ in known], [item for _, item in known]

    def _numbers(self, item_ids: Sequence[str]) -> list[int]:
        unknown = [item for item in item_ids if item not in self.recommender.number]
        if unknown:
            raise UserError(
                f"item {unknown[0]!r} is not in the model's catalogue; check the item_id"
            )
        return [self.recommender.number[item] for item in item_ids]

    def _changes(self, items: set[int], without: Rereadings) -> _Changes:
        """List every slot of the items that can be left out, with the items' vectors then."""
        ordered = sorted(items)
        listed: list[_Change] = []
        for modality in self.model.modalities:
            gathered = getattr(self.table, modality).gather(torch.tensor(ordered))
            pooled = self.model.pool[modality](*(part.to(self.scorer.device) for part in gathered))
            for item, weights in zip(ordered, pooled[1].tolist(), strict=True):
                listed += self._slots_of(item, modality, weights, without)
        numbers = torch.tensor([change.item for change in listed], dtype=torch.long)
        numbers = numbers.to(self.scorer.device)
        thin = FeatureTable(
            [""] * (len(listed) + 1),
            changed_slots(self.table.text, [_at(change, "text") for change in listed]),
            changed_slots(self.table.image, [_at(change, "image") for change in listed]),
            self.table.manifest,
        ).to(self.scorer.device)
        rows = torch.arange(len(listed), device=self.scorer.device)
        ids = self.model.ids
        if ids is not None:  # items that came after the training have none: as padding
            numbers = numbers.where(numbers < ids.num_embeddings, 0)
        vectors = self.model.with_ids(self.model.item_embeddings(thin, rows), numbers)
        of: dict[int, list[int]] = {item: [] for item in items}
        for place, change in enumerate(listed):
            of[change.item].append(place)
        return _Changes(listed, vectors, of)

    def _slots_of(
        self, item: int, modality: str, weights: list[float], without: Rereadings
    ) -> Iterator[_Change]:
        count = int(getattr(self.table, modality).counts[item])
        # An item without slots of the other view stands there with this one.
        both = not int(getattr(self.table, _OTHER[modality]).counts[item])
        item_id = self.recommender.items[item]
        names = self._names(item_id, modality, count)
        for slot, (kind, part, text) in enumerate(names):
            yield _Change(item, modality, slot, kind, part, text, weights[slot], both)
        for slot, (kind, part, _) in enumerate(names):
            vectors = without.get((item_id, part))
            if kind != "picture" or vectors is None:
                continue
            words = self.recommender.keywords.get(item_id, [])[part - 1]
            if vectors.shape != (len(words), self.table.width):
                raise UserError(
                    f"{item_id}, picture {part}: {len(words)} words need vectors of shape"
                    f" ({len(words)}, {self.table.width}); got {tuple(vectors.shape)}"
                )
            for word, vector in zip(words, vectors, strict=True):
                yield _Change(item, modality, slot, "word", part, word, None, both, vector)

    def _names(self, item_id: str, modality: str, count: int) -> list[tuple[Kind, int, str]]:
        """Return kind, part and text of an item's slots in one view, in their order."""
        keywords = self.recommender.keywords.get(item_id, [])
        kind: Kind = "sentence"
        if modality == "text":
            item = self.recommender.dataset.items.get(item_id)
            texts = list(enumerate(item_sentences(item, limit=max(1, count)) if item else [], 1))
        elif self.table.manifest.get("image_slots") == "keywords":
            kind = "word"
            texts = [(k, word) for k, words in enumerate(keywords, 1) for word in words]
        else:
            kind = "picture"
            texts = [(k, ", ".join(words)) for k, words in enumerate(keywords, 1)]
        texts += [(k, f"{kind} {k}") for k in range(len(texts) + 1, count + 1)]
        return [(kind, part, text) for part, text in texts[:count]]

    def _states(
        self, history: list[int], steps: list[_Step], changes: _Changes, swaps: list[bool]
    ) -> Modalities:
        """Return the last states of the whole sequence and of that after each step.

        Per view ``(1 + steps, d)``. A view is encoded again only where the step touches it.
        """
        # One pool of vectors a view: the history's, then those of purchases with a slot changed.
        slots = [(i, change) for i, change in steps if change is not None]
        own = torch.tensor(history, device=self.scorer.device)
        rows = torch.tensor([c for _, c in slots], dtype=torch.long, device=own.device)
        pool = {
            modality: torch.cat([z[own], changes.vectors[modality][rows]])
            for modality, z in self.scorer.items.items()
        }
        if any(swaps):
            bits = torch.tensor([*swaps, *(swaps[i] for i, _ in slots)], device=own.device)
            text, image = complementary_mixup(pool["text"][None], pool["image"][None], bits[None])
            pool = {"text": text[0], "image": image[0]}

        whole, behind = list(range(len(history))), len(history)
        sequences = [whole]
        touched = {modality: [0] for modality in pool}  # the sequences that a view has to encode
        for place, (i, change) in enumerate(steps, 1):
            instead = [] if change is None else [behind]
            behind += len(instead)
            sequences.append([*whole[:i], *instead, *whole[i + 1 :]])
            for modality in pool:
                if change is None or changes.listed[change].touches(modality, swaps[i]):
                    touched[modality].append(place)
        batch, ends = self._batch(sequences)
        states: dict[str, Tensor] = {}
        for modality, vectors in pool.items():
            rows = torch.tensor(touched[modality])
            parts = [
                run_transformer(
                    self.model.transformer,
                    F.embedding(some.to(own.device), vectors),
                    at.to(own.device),
                )
                for some, at in zip(
                    batch[rows].split(TOGETHER), ends[rows].split(TOGETHER), strict=True
                )
            ]
            encoded = torch.cat(parts)[:, 0]
            states[modality] = encoded[:1].repeat(len(sequences), 1)
            states[modality][rows] = encoded
        return states

    def _batch(self, sequences: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Left-align the newest of each sequence; return them and their ends, ``(rows, 1)``."""
        cut = [sequence[-self.model.config.max_len :] for sequence in sequences]
        batch = torch.zeros(len(cut), max(map(len, cut)), dtype=torch.long)
        for place, sequence in enumerate(cut):
            batch[place, : len(sequence)] = torch.tensor(sequence)
        return batch, torch.tensor([[len(sequence) - 1] for sequence in cut])

    def _evidence(
        self, item: int, place: int, change: _Change | None, by_modality: dict[str, float]
    ) -> Evidence:
        item_id, total = self.recommender.items[item], sum(by_modality.values())
        if change is None:
            title = title_of(self.recommender.dataset, item_id)
            return Evidence("purchase", item_id, place, 0, title, total, by_modality)
        kind, part, text, attention = change.kind, change.part, change.text, change.attention
        return Evidence(kind, item_id, place, part, text, total, by_modality, attention)


class _SwappingScorer(ModelScorer):
    """A scorer at whose places the text and image vectors are exchanged, for one history."""

    def __init__(self, scorer: ModelScorer, swaps: list[bool]) -> None:
        self.__dict__.update(scorer.__dict__)
        self._swaps = torch.tensor([swaps], device=scorer.device)

    @torch.inference_mode()
    def score_by_modality(self, histories: Sequence[np.ndarray]) -> Modalities:
        """Return each view's term of the score for all items."""
        items = pad(histories, self.model.config.max_len).to(self.device)
        read = gather_rows(self.items, items)
        swaps = self._swaps[:, -items.shape[1] :]
        text, image = complementary_mixup(read["text"], read["image"], swaps)
        states = self.model.encode({"text": text, "image": image})
        return {
            modality: cosine_scores(hidden[:, -1], self.items[modality]).cpu()
            for modality, hidden in states.items()
        }


def _by_view(drops: dict[str, list[list[float]]], column: int) -> Iterator[dict[str, float]]:
    for terms in zip(*(rows[column] for rows in drops.values()), strict=True):
        yield dict(zip(drops, terms, strict=True))


def _at(change: _Change, modality: str) -> tuple[int, int | None, Tensor | None]:
    same = change.modality == modality
    return change.item, change.slot if same else None, change.instead if same else None


def changed_slots(slots: Slots, changes: Sequence[tuple[int, int | None, Tensor | None]]) -> Slots:
    """Return one entry per change: an item's slots with one of them left out or replaced.

    Parameters
    ----------
    slots
        The vectors of one modality.
    changes
        Item number; the slot concerned, counted from 0, or None to keep them all; the vector
        ``(D,)`` that takes its place, or None to leave it out.

    Returns
    -------
    slots
        Entry i for change i. A last entry repeats the item with the most slots, so that padding is
        as wide as in the catalogue: with ``mask_padding = False`` vectors depend on that width.
    """
    rows: list[int] = []
    counts: list[int] = []
    instead: dict[int, Tensor] = {}
    for item, slot, vector in [*changes, (int(slots.counts.argmax()), None, None)]:
        start = int(slots.starts[item])
        own = list(range(start, start + int(slots.counts[item])))
        if slot is not None and vector is None:
            del own[slot]
        elif slot is not None and vector is not None:
            instead[len(rows) + slot] = vector
        rows += own
        counts.append(len(own))
    vectors = slots.vectors[torch.tensor(rows, dtype=torch.long)]
    for row, vector in instead.items():
        vectors[row] = vector.to(vectors)
    sizes = torch.tensor(counts)
    return Slots(vectors, sizes.cumsum(0) - sizes, sizes)


def title_of(dataset: Dataset, item_id: str) -> str:
    """Return an item's title, or its id where it has none."""
    item = dataset.items.get(item_id)
    return (item.title if item else "") or item_id


def strongest(
    evidence: Iterable[Evidence],
    each: int = 1,
    kinds: Collection[Kind] = KINDS,
    least: float = 0.005,
) -> list[Evidence]:
    """Return the ``each`` strongest pieces of each kind that speak for the item, by kind.

    Effects of ``least`` and below, which would read +0.00, are no reasons.
    """
    ranked = sorted(evidence, key=lambda piece: -piece.effect)
    return [
        piece
        for kind in KINDS
        if kind in kinds
        for piece in [p for p in ranked if p.kind == kind and p.effect > least][:each]
    ]


def in_words(piece: Evidence, dataset: Dataset) -> str:
    """Say one piece of evidence in a short line; foreign text stands in it as it is.

    >>> shop = Shop(Path(), {}, None)
    >>> in_words(Evidence("purchase", "b7", 1, 0, "Oak clock", 0.125, {}), shop)
    "they bought 'Oak clock' (+0.12)"
    >>> in_words(Evidence("sentence", "b9", 0, 2, "Ticks softly.", -0.031, {}, 0.4), shop)
    "its sentence 'Ticks softly.' (-0.03)"
    >>> in_words(Evidence("word", "b7", 1, 2, "brown", 0.01, {}), shop)
    "the word 'brown' in picture 2 of 'b7' (+0.01)"
    """
    owner = f"of '{title_of(dataset, piece.item_id)}'" if piece.place else ""
    if piece.kind == "purchase":
        said = f"they bought '{piece.text}'"
    elif piece.kind == "sentence":
        said = f"the sentence {owner}: '{piece.text}'" if owner else f"its sentence '{piece.text}'"
    elif piece.kind == "picture":
        said = f"{f'picture {piece.part} {owner}' if owner else f'its picture {piece.part}'}:"
        said += f" {piece.text}"
    else:
        picture = f"picture {piece.part} {owner}" if owner else f"its picture {piece.part}"
        said = f"the word '{piece.text}' in {picture}"
    return f"{said} ({piece.effect:+z.2f})"
