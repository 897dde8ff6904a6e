"""An input of the model with its effect on a score, and its description in a sentence."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from msm4sr_lite.dataset.dataset import Item

Kind: TypeAlias = Literal["part", "interaction", "sentence", "image", "keyword"]
KINDS: tuple[Kind, ...] = ("part", "interaction", "sentence", "image", "keyword")
NO_EVIDENCE = "no single input changes the score"


@dataclass(frozen=True)
class Evidence:
    """One input of the model that speaks for or against a recommended item.

    Attributes
    ----------
    kind
        ``interaction``, ``sentence``, ``image`` or ``keyword`` (one keyword of an image); ``part``
        is a part of a score ensemble.
    item_id
        The item that it belongs to.
    position
        Position of this item in the history, counted from 1; 0 for the recommended item itself.
    index
        Which sentence or image of the item, counted from 1; 0 for an interaction.
    text
        Text for readers: the item's title, the sentence, the image's keywords or the keyword.
    effect
        The score minus the score without this input; positive if the input speaks for the item. A
        model's score is a sum of two cosines, so an effect is between -4 and 4. Effects of inputs
        are on this score; the effect of a part is its term of the ensemble's score.
    by_modality
        The terms of the effect, under ``text`` and ``image``.
    attention
        The weight of this input in the item's attention pooling, 0 to 1. None for interactions,
        and for keywords that share one slot.
    """

    kind: Kind
    item_id: str
    position: int
    index: int
    text: str
    effect: float
    by_modality: dict[str, float]
    attention: float | None = None


def strongest_evidence(
    evidence: Iterable[Evidence],
    each: int = 1,
    kinds: Collection[Kind] = KINDS,
    least: float = 0.005,
) -> list[Evidence]:
    """Return the ``each`` strongest inputs of each kind that speak for the item, kind by kind.

    Effects of at most ``least`` are left out, since they would be printed as +0.00.
    """
    ranked = sorted(evidence, key=lambda piece: -piece.effect)
    return [
        piece
        for kind in KINDS
        if kind in kinds
        for piece in [p for p in ranked if p.kind == kind and p.effect > least][:each]
    ]


def item_title(items: Mapping[str, Item], item_id: str) -> str:
    """Return an item's title, or its id if it has no title."""
    item = items.get(item_id)
    return (item.title if item else "") or item_id


def describe_evidence(piece: Evidence, items: Mapping[str, Item] | None = None) -> str:
    """Describe an input in a short line; texts of the dataset appear unchanged.

    Parameters
    ----------
    piece
        The input and its effect.
    items
        ``item_id -> Item``, such as ``dataset.items``, for the titles.

    Examples
    --------
    >>> describe_evidence(Evidence("interaction", "b7", 1, 0, "Oak clock", 0.125, {}))
    'interaction 1 (Oak clock): +0.12'
    >>> describe_evidence(Evidence("sentence", "b9", 0, 2, "Ticks softly.", -0.031, {}, 0.4))
    "the recommended item's sentence 'Ticks softly.': -0.03"
    >>> describe_evidence(Evidence("keyword", "b7", 1, 2, "brown", 0.01, {}))
    "keyword 'brown' in image 2 of 'b7': +0.01"
    """
    return f"{describe_input(piece, items)}: {piece.effect:+z.2f}"


def describe_input(piece: Evidence, items: Mapping[str, Item] | None = None) -> str:
    """Describe an input without its effect; parameters as in ``describe_evidence``."""
    before, after = "the recommended item's ", ""
    if piece.position:
        before, after = "", f" of '{item_title(items or {}, piece.item_id)}'"
    image = f"{before}image {piece.index}{after}"
    return {
        "part": f"part {piece.text}",
        "interaction": f"interaction {piece.position} ({piece.text})",
        "sentence": f"{before}sentence '{piece.text}'{after}",
        "image": f"{image} ({piece.text})",
        "keyword": f"keyword '{piece.text}' in {image}",
    }[piece.kind]
