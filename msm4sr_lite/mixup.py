"""The two augmentations of pre-training: sequence drop and complementary sequence mixup."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def draw_probability(
    limit: float,
    rows: int,
    generator: torch.Generator,
    *,
    per: Literal["batch", "sequence"] = "batch",
    fixed: bool = False,
) -> Float[Tensor, "rows 1"]:
    """Draw a share from U(0, limit), one for the whole batch or one per sequence.

    With ``fixed`` the share is ``limit`` itself.
    """
    count = rows if per == "sequence" else 1
    share = torch.ones(count, 1) if fixed else torch.rand(count, 1, generator=generator)
    return (share * limit).expand(rows, 1)


def draw_kept(
    items: Int[Tensor, "batch time"],
    share: Float[Tensor, "batch 1"],
    generator: torch.Generator,
    *,
    keep: Literal["first", "last"] = "first",
) -> Bool[Tensor, "batch time"]:
    """Draw which items stay: each real item is dropped with probability ``share``.

    The first (or last) item of a sequence always stays; padding never does.
    """
    lottery = torch.rand(items.shape, generator=generator)
    survives = (lottery >= share).to(items.device)
    kept = 0 if keep == "first" else (items != 0).sum(dim=1) - 1
    survives[torch.arange(len(items)), kept] = True
    return survives & (items != 0)


def drop_items(
    items: Int[Tensor, "batch time"], survives: Bool[Tensor, "batch time"]
) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
    """Remove the dropped items and close the gaps.

    Returns
    -------
    shortened
        The survivors in their order, moved to the left, zeros behind.
    state
        ``state[b, k]`` is the place in ``shortened`` of the last survivor at or before position k:
        the hidden state that still predicts what followed position k.

    Examples
    --------
    >>> items = torch.tensor([[5, 6, 7, 8]])
    >>> shortened, state = drop_items(items, torch.tensor([[True, False, True, True]]))
    >>> shortened.tolist(), state.tolist()
    ([[5, 7, 8, 0]], [[0, 0, 1, 2]])
    """
    state = survives.long().cumsum(dim=1) - 1
    order = torch.argsort(survives.logical_not().long(), dim=1, stable=True)  # survivors first
    shortened = (items * survives).gather(1, order)
    return shortened, state.clamp_min(0)


def draw_swaps(
    items: Int[Tensor, "batch time"], p: Float[Tensor, "batch 1"], generator: torch.Generator
) -> Bool[Tensor, "batch time"]:
    """Draw where the two modalities change places: each real item with probability ``p``."""
    lottery = torch.rand(items.shape, generator=generator)
    return (lottery < p).to(items.device) & (items != 0)


def complementary_mixup(
    text: Float[Tensor, "batch time dim"],
    image: Float[Tensor, "batch time dim"],
    swaps: Bool[Tensor, "batch time"],
) -> tuple[Float[Tensor, "batch time dim"], Float[Tensor, "batch time dim"]]:
    """Exchange text and image vectors where ``swaps`` is true.

    With b the swap bit of a position: M_t = (1 - b) Z_t + b Z_v and M_v = (1 - b) Z_v + b Z_t.
    The two mixed sequences complement each other: M_t + M_v = Z_t + Z_v, nothing is lost.

    Examples
    --------
    >>> text, image = torch.ones(1, 3, 1), torch.zeros(1, 3, 1)
    >>> swaps = torch.tensor([[False, True, False]])
    >>> mixed_text, mixed_image = complementary_mixup(text, image, swaps)
    >>> mixed_text.flatten().tolist(), mixed_image.flatten().tolist()
    ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    """
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, image, text), torch.where(bit, text, image)
