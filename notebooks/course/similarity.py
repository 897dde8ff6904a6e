"""Matrices of users and their next items, drawn to one scale, with the result in the title.

A row is a user, a column the next item of a user, so the right answers stand on the
diagonal. The scale does not follow the values: figures of several settings or steps can be
compared, and a bar says which number is which colour. Cosines are centred per row, because only
differences within a row decide a ranking or a loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ONE_COLOUR = 0.02  # a spread of cosines below this is one colour to the eye
_REACH = 0.25  # the darkest colours of a frame: this far from the mean of a row
_CLEAR = 2.0  # standard errors by which the diagonal must lead before a title says so


def _off_diagonal(matrix: Tensor) -> Tensor:
    return matrix[~torch.eye(len(matrix), dtype=torch.bool)]


def _matrix(
    values: Tensor,
    limits: tuple[float, float],
    colours: str,
    label: str,
    size: tuple[float, float],
    margins: tuple[float, float, float, float],
) -> tuple[Figure, Axes]:
    """Draw a matrix and, on its right, the bar of its scale.

    The margins (left, bottom, right, top, as shares of the figure) are fixed: to look for them
    takes half of the time of a drawing, and a dragged slider feels it.
    """
    import matplotlib.pyplot as plt

    figure, (axes, side) = plt.subplots(
        1, 2, figsize=size, width_ratios=(20, 1), gridspec_kw={"wspace": 0.06}, layout="none"
    )
    left, bottom, right, top = margins
    figure.subplots_adjust(left=left, bottom=bottom, right=right, top=top)
    low, high = limits
    image = axes.imshow(values.numpy(), cmap=colours, vmin=low, vmax=high, aspect="auto")
    figure.colorbar(image, cax=side, label=label)
    return figure, axes


def describe_cosines(cosines: Tensor) -> str:
    """Return in a few words what a square matrix of cosines shows.

    Parameters
    ----------
    cosines
        ``(users, users)``; at (i, j) the state of user i and the next item of j.

    Examples
    --------
    >>> describe_cosines(torch.full((4, 4), 0.97))
    'all cosines near 0.97'
    >>> describe_cosines(0.5 * torch.eye(4) + torch.tensor([0.1, 0.2, 0.3, 0.4]))
    'the diagonal leads by 0.50'
    """
    right, others = cosines.diagonal().mean(), _off_diagonal(cosines)
    spread, lead = others.std(), right - others.mean()
    if max(spread, abs(lead)) < _ONE_COLOUR:
        return f"all cosines near {cosines.mean():.2f}"
    if lead < _CLEAR * spread / math.sqrt(len(cosines)):
        return "no diagonal yet"
    return f"the diagonal leads by {lead:.2f}"


def centre_rows(cosines: Tensor) -> Tensor:
    """Return by how much each cosine exceeds the mean of its row.

    All rows of a collapsed model are 0 then, and what a row prefers is above 0: a loss such as
    InfoNCE sees these differences only.

    >>> centre_rows(torch.tensor([[0.5, 0.25], [0.75, 0.75]]))
    tensor([[ 0.1250, -0.1250],
            [ 0.0000,  0.0000]])
    """
    return cosines - cosines.mean(dim=1, keepdim=True)


def draw_cosines(cosines: Tensor, step: int) -> tuple[Figure, str]:
    """Draw one frame of a training: each cosine minus the mean of its row.

    Above the mean is orange, below it purple, the mean white; in a grey print, too, the ends are
    dark and the mean is white.

    Parameters
    ----------
    cosines
        ``(users, users)``, as in :func:`describe_cosines`.
    step
        Of the training.

    Returns
    -------
    figure, alt
    """
    centred = centre_rows(cosines)
    label, margins = "cosine minus the mean of its row", (0.07, 0.08, 0.8, 0.91)
    figure, axes = _matrix(centred, (-_REACH, _REACH), "PuOr_r", label, (5.2, 4.2), margins)
    axes.set(xlabel="next item", ylabel="user", xticks=[], yticks=[])
    axes.set_title(f"step {step}: {describe_cosines(cosines)}")
    first = int((cosines.argmax(dim=1) == torch.arange(len(cosines))).sum())
    return figure, (
        f"Step {step}: {describe_cosines(cosines)}. {_describe_colours(centred)} Mean cosine on"
        f" the diagonal {cosines.diagonal().mean():.1f}, elsewhere"
        f" {_off_diagonal(cosines).mean():.1f}; in {first} of {len(cosines)} rows the right item"
        " has the largest."
    )


def _describe_colours(centred: Tensor) -> str:
    """Return in a sentence which colours a frame shows."""
    if centred.abs().max() < _REACH / 5:
        return "The matrix is almost white."
    if centred.diagonal().mean() > 2 * _off_diagonal(centred).std():
        return "An orange diagonal stands out from white and purple."
    return "Orange and purple fields stand off the diagonal, too."


def draw_softmax(shares: Tensor, masked: Tensor, loss: float) -> Figure:
    """Draw the softmax over the next items: 0 is white, 1 the darkest blue.

    Parameters
    ----------
    shares
        ``(users, users)``; each row sums to 1.
    masked
        Of the same shape, bool: which pairs are excluded.
    loss
        Goes into the title, beside that of a guess among all.
    """
    count, margins = len(shares), (0.11, 0.14, 0.82, 0.87)
    figure, axes = _matrix(shares, (0, 1), "Blues", "probability", (5.4, 4.8), margins)
    for i, j in masked.nonzero().tolist():
        axes.text(j, i, "out", ha="center", va="center", fontsize=10)
    axes.set(
        title=f"The right item gets {shares.diagonal().mean():.0%} on average\n"
        f"loss {loss:.2f}  (guessing: {1 / count:.0%}, {math.log(count):.2f})",
        xlabel="next item of user ...",
        ylabel="user",
        xticks=range(count),
        yticks=range(count),
    )
    return figure
