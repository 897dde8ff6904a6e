"""Measure the effect of every input on the score of a recommendation, by leaving it out.

The inputs are the interactions of the history, and the slots of the history's items and of the
recommended item. Slots are sentences, images and, if the text encoder is available, keywords. The
effect of an input is exact: the score with all inputs minus the score without this one. The
attention weight of a slot is reported beside its effect; a large weight does not imply a large
effect.

The N keywords of an image form one pseudo-sentence and share one slot, so there is no attention
weight for a single keyword. Its effect is measured by deleting it: the text encoder of the feature
table embeds the other keywords again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.explain.evidence import Evidence, Kind, item_title
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.sentences import text_slots
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.recommend.describe import Keywords
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer

SEQUENCES = 64  # sequences per encoder call; more would use more memory and be no faster

# (item_id, image counted from 1) -> embeddings of its keywords without each of them, (keywords, D)
KeywordDeletions: TypeAlias = Mapping[tuple[str, int], Tensor]


@dataclass(frozen=True)
class Change:
    """A slot of an item that is left out. For a keyword, its embedding is replaced instead."""

    item: int  # item number
    modality: str
    slot: int  # counted from 0
    kind: Kind
    index: int
    text: str
    attention: float | None = None
    replacement: Tensor | None = None


@torch.inference_mode()
def measure_effects(
    recommender: Recommender,
    table: FeatureTable,
    history: Sequence[str],
    item_ids: Sequence[str],
    *,
    items: Mapping[str, Item] | None = None,
    keywords: Keywords | None = None,
    keyword_deletions: KeywordDeletions | None = None,
) -> list[list[Evidence]]:
    """Return the evidence for and against each of some items, given one history.

    Parameters
    ----------
    recommender
        Its scorer must be a model, or an ensemble with one.
    table
        The features that the scorer was made with.
    history
        Item ids, oldest first. Items that the model does not know are ignored. The model reads the
        newest ``max_len`` items; if one of them is left out, it also reads the one before them.
    item_ids
        The items to explain, recommended or not.
    items
        ``item_id -> Item``, such as ``dataset.items``: the titles and sentences to show. Without
        it, ids and "sentence 1" are shown.
    keywords
        ``item_id ->`` the keywords of each image; without it, "image 1" is shown.
    keyword_deletions
        For each image whose keywords are to be explained, the embeddings of its keywords without
        each of them (``embed_keyword_deletions``). They are not needed for a table with one slot
        per keyword (``image_slots="keywords"``).

    Returns
    -------
    evidence
        For each item one entry per input, the strongest in its favour first. A history of one item
        has no evidence of kind ``interaction``, since an empty history has no score. With an
        ensemble, its parts come before the inputs, whose effects are on the neural model's score.

    Raises
    ------
    UserError
        If an item is unknown, the model knows no item of the history, an item has no entry in
        ``table``, or the scorer is not a model.
    """
    scorer, number = recommender.model_scorer("explanations"), recommender.item_number
    known = [(k, number[item]) for k, item in enumerate(history, 1) if item in number]
    if not known:
        raise UserError("no item of the history is known to the model; check the item ids")
    max_len, items = scorer.model.config.max_len, items or {}
    positions, numbers = zip(*known[-max_len - 1 :], strict=True)
    targets = recommender.numbers_of(item_ids).tolist()
    read = range(max(0, len(numbers) - max_len), len(numbers))
    table = table.for_items(recommender.item_ids).to("cpu")
    changed = sorted({*numbers[read.start :], *targets})
    changes = list_changes(scorer, table, changed, items, keywords or {}, keyword_deletions or {})

    # A scorer of few items: padding, the history, the targets, and an item for each change.
    few = scorer.select(np.array([0, *numbers, *targets]))
    first_target, first_change = 1 + len(numbers), len(few.units)
    changed_items = torch.tensor([change.item for change in changes], device=scorer.device)
    rows = torch.arange(len(changes), device=scorer.device)
    z = scorer.embed(edit_slots(table, changes), rows, changed_items)
    few.items = {m: torch.cat([embeddings, z[m]]) for m, embeddings in few.items.items()}

    # What is left out of the history: the place from 0, the change, and what is there instead.
    omissions: list[tuple[int, Change, list[int]]] = []
    for i in read if len(numbers) > 1 else ():
        title = item_title(items, table.items[numbers[i]])
        omissions.append((i, Change(numbers[i], "", 0, "interaction", 0, title), []))
    slots = list(enumerate(changes, first_change))
    omissions += [(i, slot, [k]) for i in read for k, slot in slots if slot.item == numbers[i]]
    whole = list(range(1, first_target))
    sequences = [whole, *([*whole[:i], *instead, *whole[i + 1 :]] for i, _, instead in omissions)]

    # Score the few items after each sequence: modality -> (sequences, items).
    blocks = torch.arange(len(sequences)).split(SEQUENCES)
    scored = [few.score_by_modality([np.array(sequences[k]) for k in block]) for block in blocks]
    scores = {m: torch.cat([block[m] for block in scored]).numpy() for m in few.items}

    # Collect the effects: the target's score after the whole history minus the score without.
    def evidence(change: Change, position: int, target: int, row: int, column: int) -> Evidence:
        terms = {m: float(s[0, target] - s[row, column]) for m, s in scores.items()}
        effect = change.index, change.text, sum(terms.values()), terms, change.attention
        return Evidence(change.kind, table.items[change.item], position, *effect)

    by_part, found = recommender.score_by_part(recommender.known_items(history)), []
    for target, item in enumerate(targets, first_target):
        parts = [
            Evidence("part", table.items[item], 0, 0, name, float(term[item]), {})
            for name, term in by_part.items()
        ]
        pieces = []
        for row, (place, change, _) in enumerate(omissions, 1):
            pieces.append(evidence(change, positions[place], target, row, target))
        pieces += [evidence(slot, 0, target, 0, k) for k, slot in slots if slot.item == item]
        parts, pieces = (sorted(some, key=lambda p: -p.effect) for some in (parts, pieces))
        found.append([*parts, *pieces])
    return found


def list_changes(
    scorer: ModelScorer,
    table: FeatureTable,
    numbers: Sequence[int],
    items: Mapping[str, Item],
    keywords: Keywords,
    deletions: KeywordDeletions,
) -> list[Change]:
    """Return a change with its attention weight for every slot of the items with these numbers."""
    changes = []
    for modality in scorer.model.modalities:
        slots = getattr(table, modality)
        gathered = (tensor.to(scorer.device) for tensor in slots.gather(torch.tensor(numbers)))
        weights = scorer.model.pool[modality](*gathered)[1].tolist()
        for number, attention in zip(numbers, weights, strict=True):
            item_id, count = table.items[number], int(slots.counts[number])
            of_images = list(enumerate(keywords.get(item_id, []), 1))
            kind: Kind = "image"
            named = [(k, ", ".join(words)) for k, words in of_images]
            if modality == "text":
                kind, item = "sentence", items.get(item_id)
                limit = table.manifest.get("max_sentences", max(1, count))
                units = table.manifest.get("text_units", "sentences")
                named = list(enumerate(text_slots(item, limit, units) if item else [], 1))
            elif table.manifest.get("image_slots") == "keywords":
                kind = "keyword"
                named = [(k, word) for k, words in of_images for word in words]
            named += [(k, f"{kind} {k}") for k in range(len(named) + 1, count + 1)]
            for slot, (index, text) in enumerate(named[:count]):
                place = number, modality, slot
                changes.append(Change(*place, kind, index, text, attention[slot]))
                if kind == "image" and (item_id, index) in deletions:
                    words = keywords[item_id][index - 1]
                    for word, without in zip(words, deletions[item_id, index], strict=True):
                        changes.append(Change(*place, "keyword", index, word, None, without))
    return changes


def edit_slots(table: FeatureTable, changes: Sequence[Change]) -> FeatureTable:
    """Return a table with an entry per change: its item with the slot left out or replaced.

    An additional last entry repeats the item with the most slots, so that the width of the padding
    stays the same. With ``mask_padding = False``, embeddings depend on that width.
    """

    def edit(modality: str) -> Slots:
        slots = getattr(table, modality)
        widest = Change(int(slots.counts.argmax()), "", 0, "image", 0, "")
        entries = []
        for change in [*changes, widest]:
            start = int(slots.starts[change.item])
            entry = slots.vectors[start : start + int(slots.counts[change.item])]
            if change.modality == modality:
                instead = [] if change.replacement is None else [change.replacement[None]]
                entry = torch.cat([entry[: change.slot], *instead, entry[change.slot + 1 :]])
            entries.append(entry)
        counts = torch.tensor([len(entry) for entry in entries])
        return Slots(torch.cat(entries), counts.cumsum(0) - counts, counts)

    ids = [table.items[change.item] for change in changes]
    return FeatureTable(ids, edit("text"), edit("image"), table.manifest)


def delete_each_keyword(keywords: Sequence[str]) -> list[str]:
    """Return the pseudo-sentence of all keywords, then that sentence without each of them.

    >>> delete_each_keyword(["tall", "clock", "brown"])
    ['tall clock brown', 'clock brown', 'tall brown', 'tall clock']
    """
    kept = [keywords, *([*keywords[:k], *keywords[k + 1 :]] for k in range(len(keywords)))]
    return [" ".join(some) for some in kept]


def embed_keyword_deletions(
    encoder: TextEncoder, keywords: Mapping[str, Sequence[Sequence[str]]], items: Iterable[str]
) -> KeywordDeletions:
    """Embed the keywords of the items' images again, leaving out each keyword in turn.

    Parameters
    ----------
    encoder
        The text encoder that made the feature table.
    keywords
        ``item_id ->`` the keywords of each image.
    items
        The items whose images to embed; equal sentences are embedded once.

    Returns
    -------
    keyword_deletions
        ``(item_id, image counted from 1) ->`` embeddings ``(keywords, D)``, float16. Images with a
        single keyword are missing, since no sentence would remain.
    """
    images = {
        (item, index): delete_each_keyword(words)[1:]
        for item in dict.fromkeys(items)
        for index, words in enumerate(keywords.get(item, []), 1)
        if len(words) > 1
    }
    vectors = encoder.encode([sentence for group in images.values() for sentence in group])
    groups = torch.from_numpy(vectors).split([len(group) for group in images.values()])
    return dict(zip(images, groups, strict=True))
