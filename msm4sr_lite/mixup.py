"""The two augmentations of pre-training: sequence drop and complementary sequence mixup."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from msm4sr_lite.config import PretrainConfig

Items = Int[Tensor, "batch time"]
Marks = Bool[Tensor, "batch time"]
Embeddings = Float[Tensor, "batch time dim"]


def draw_probability(
    limit: float, rows: int, generator: Generator, *, per: str = "batch", fixed: bool = False
) -> Float[Tensor, "rows 1"]:
    """Draw a probability from U(0, limit); source: released code (and notes, for mixup).

    Parameters
    ----------
    limit
        Largest probability.
    rows
        Number of sequences.
    generator
        Random numbers.
    per
        ``batch``: one probability for all sequences; ``sequence``: one for each (ours).
    fixed
        Whether to return ``limit`` itself instead of drawing.
    """
    count = rows if per == "sequence" else 1
    drawn = torch.ones(count, 1) if fixed else torch.rand(count, 1, generator=generator)
    return (drawn * limit).expand(rows, 1)


def draw_kept(
    items: Items, q: Float[Tensor, "batch 1"], generator: Generator, *, keep: str = "first"
) -> Marks:
    """Draw which items stay: each real item is dropped with probability ``q``.

    The first (or last) item of a sequence always stays; padding never does. The released code keeps
    the last item; keeping the first is ours.
    """
    kept = (torch.rand(items.shape, generator=generator) >= q).to(items.device)
    protected = 0 if keep == "first" else (items != 0).sum(dim=1) - 1
    kept[torch.arange(len(items)), protected] = True
    return kept & (items != 0)


def drop_items(items: Items, kept: Marks) -> tuple[Items, Items]:
    """Remove the dropped items and close the gaps.

    Returns
    -------
    shortened
        The kept items in their order, moved to the left and padded with zeros.
    last_kept
        ``last_kept[b, k]`` is the position in ``shortened`` of the last kept item at or before
        position k. Its hidden state predicts the item after position k.

    Examples
    --------
    >>> items = torch.tensor([[5, 6, 7, 8]])
    >>> shortened, last_kept = drop_items(items, torch.tensor([[True, False, True, True]]))
    >>> shortened.tolist(), last_kept.tolist()
    ([[5, 7, 8, 0]], [[0, 0, 1, 2]])
    """
    last_kept = kept.long().cumsum(dim=1) - 1
    order = torch.argsort(kept.logical_not().long(), dim=1, stable=True)  # kept items first
    return (items * kept).gather(1, order), last_kept.clamp_min(0)


def draw_swaps(items: Items, p: Float[Tensor, "batch 1"], generator: Generator) -> Marks:
    """Draw where the two modalities change places: each real item with probability ``p``."""
    return (torch.rand(items.shape, generator=generator) < p).to(items.device) & (items != 0)


def complementary_mixup(
    text: Embeddings, image: Embeddings, swaps: Marks
) -> tuple[Embeddings, Embeddings]:
    """Exchange text and image embeddings where ``swaps`` is true.

    With b the swap bit of a position: M_t = (1 - b) Z_t + b Z_v and M_v = (1 - b) Z_v + b Z_t.
    The two mixed sequences complement each other: M_t + M_v = Z_t + Z_v. Source: notes and
    released code.

    Examples
    --------
    >>> text, image = torch.ones(1, 3, 1), torch.zeros(1, 3, 1)
    >>> swaps = torch.tensor([[False, True, False]])
    >>> mixed_text, mixed_image = complementary_mixup(text, image, swaps)
    >>> mixed_text.flatten().tolist(), mixed_image.flatten().tolist()
    ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    """
    b = swaps.unsqueeze(-1)
    return torch.where(b, image, text), torch.where(b, text, image)


def augment(
    items: Items, config: PretrainConfig, generator: Generator
) -> tuple[Items, Items, Marks]:
    """Draw sequence drop and mixup for a batch of sequences.

    Returns
    -------
    shortened, last_kept
        The sequences after dropping, and for each original position the one whose hidden state
        represents it (``drop_items``).
    swaps
        Where text and image change places in the shortened sequences (``complementary_mixup``).
    """
    rows, fixed = len(items), config.mixup_draw == "fixed"
    q = draw_probability(config.drop_max, rows, generator, per=config.drop_per)
    kept = draw_kept(items, q, generator, keep=config.drop_keeps)
    shortened, last_kept = drop_items(items, kept)
    p = draw_probability(config.mixup_max, rows, generator, per=config.mixup_per, fixed=fixed)
    return shortened, last_kept, draw_swaps(shortened, p, generator)
