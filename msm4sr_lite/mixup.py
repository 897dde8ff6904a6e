"""The two augmentations of pre-training: sequence drop and complementary sequence mixup."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def draw_survivors(
    items: Int[Tensor, "batch time"], share: float, generator: torch.Generator | None = None
) -> Bool[Tensor, "batch time"]:
    """Draw which items stay: each real item is dropped with probability ``share``, never the first.

    Padding never survives.
    """
    lottery = torch.rand(items.shape, generator=generator).to(items.device)
    survives = lottery >= share
    survives[:, 0] = True
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
    items: Int[Tensor, "batch time"], p: float, generator: torch.Generator | None = None
) -> Bool[Tensor, "batch time"]:
    """Draw where the two modalities change places: each real item with probability ``p``."""
    lottery = torch.rand(items.shape, generator=generator).to(items.device)
    return (lottery < p) & (items != 0)


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
