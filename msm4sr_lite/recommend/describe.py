"""Describe recommendations for readers: sentences, keywords, scores by modality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.recommend.recommender import Recommender

Keywords = Mapping[str, Sequence[Sequence[str]]]  # item_id -> the keywords of each image


@dataclass(frozen=True)
class Recommendation:
    """One recommended item with its description.

    Attributes
    ----------
    item_id
        The item.
    score
        The sum of ``by_modality``: cos(h_t, z_t) + cos(h_v, z_v), between -2 and 2. With a score
        ensemble, the sum of ``by_part``.
    by_modality
        The terms of the neural model's score, under ``text`` and ``image``.
    sentences
        The sentences of the item's text.
    keywords
        The keywords of each of its images.
    missing
        The modalities that the item lacks. With ``["image"]``, its text is used for both.
    by_part
        The terms of a score ensemble, under the names of its parts; empty without an ensemble.
    """

    item_id: str
    score: float
    by_modality: dict[str, float]
    sentences: list[str]
    keywords: list[list[str]]
    missing: list[str] = field(default_factory=list)
    by_part: dict[str, float] = field(default_factory=dict)


def describe_recommendations(
    recommender: Recommender,
    history: Sequence[str],
    k: int = 10,
    *,
    items: Mapping[str, Item] | None = None,
    keywords: Keywords | None = None,
    table: FeatureTable | None = None,
    **options: Any,
) -> list[Recommendation]:
    """Recommend items for one history and describe them.

    Parameters
    ----------
    recommender
        Its scorer must be a model, or an ensemble with one.
    history
        Item ids, oldest first. Items that the model does not know are ignored.
    k
        Number of items.
    items
        ``item_id -> Item``, such as ``dataset.items``, for the sentences.
    keywords
        ``item_id ->`` the keywords of each image.
    table
        Features in the order of the model's items, which show the modalities that an item lacks.
    options
        ``filter_seen``, ``candidates`` and ``exclude`` of ``Recommender.recommend``.

    Returns
    -------
    recommendations
        The best item first.

    Raises
    ------
    UserError
        If no item of the history is known to the model, or ``Recommender.recommend`` raises it.
    """
    scorer = recommender.model_scorer("scores by modality")
    numbers = recommender.known_items(history)
    if not len(numbers):
        raise UserError("no item of the history is known to the model; check the item ids")
    by_modality = scorer.score_by_modality([numbers])
    by_part = recommender.score_by_part(numbers)
    found = []
    best = recommender.recommend({"": history}, k, **options)
    for item_id, score in zip(best["item_id"], best["score"], strict=True):
        number, item = recommender.item_number[item_id], (items or {}).get(item_id)
        terms = {modality: float(scores[0, number]) for modality, scores in by_modality.items()}
        lacks = table and len(terms) > 1
        found.append(
            Recommendation(
                item_id,
                score,
                terms,
                item_sentences(item) if item else [],
                [list(words) for words in (keywords or {}).get(item_id, [])],
                [m for m in terms if lacks and not getattr(table, m).counts[number]],
                {name: float(term[number]) for name, term in by_part.items()},
            )
        )
    return found
