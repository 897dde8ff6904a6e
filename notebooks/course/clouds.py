"""Clouds of text and image embeddings along the directions in which they spread most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from course.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pair = tuple[np.ndarray, np.ndarray]


def principal_axes(text: np.ndarray, image: np.ndarray) -> tuple[Pair, float]:
    """Project two clouds of embeddings on the plane in which both together spread most.

    Parameters
    ----------
    text, image
        ``(items, width)``; taken as unit vectors.

    Returns
    -------
    (text, image), share
        The coordinates ``(items, 2)`` of both, and the share of the variance that this plane keeps.
    """
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (text, image)]
    middle = np.concatenate(unit).mean(axis=0)
    _, sizes, axes = np.linalg.svd(np.concatenate(unit) - middle, full_matrices=False)
    flat = [(x - middle) @ axes[:2].T for x in unit]
    return (flat[0], flat[1]), float((sizes[:2] ** 2).sum() / (sizes**2).sum())


def draw_clouds(clouds: Mapping[str, Pair]) -> tuple[Figure, list[float]]:
    """Draw texts and images of several spaces side by side, to one scale, no point cut off.

    Parameters
    ----------
    clouds
        Title -> text and image embeddings, each ``(items, width)``.

    Returns
    -------
    figure, shares
        For each space the share of its spread that can be seen, which is also written below it.
    """
    import matplotlib.pyplot as plt

    projected = {title: principal_axes(*pair) for title, pair in clouds.items()}
    limit = 1.1 * max(np.abs(x).max() for flat, _ in projected.values() for x in flat)
    figure, panels = plt.subplots(
        1, len(projected), figsize=(3.7 * len(projected), 3.8), sharey=True, squeeze=False
    )
    for axes, (title, (flat, share)) in zip(panels[0], projected.items(), strict=True):
        for x, marker, colour, label in zip(flat, "os", PALETTE, ("texts", "images"), strict=False):
            axes.scatter(*x.T, s=14, marker=marker, color=colour, alpha=0.6, label=label)
        axes.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit))
        axes.set_xlabel(f"1st principal axis\n(both axes: {share:.0%} of the spread)")
    panels[0, 0].set_ylabel("2nd principal axis")
    panels[0, 0].legend(loc="lower center", ncols=2, columnspacing=0.8, handletextpad=0.1)
    return figure, [share for _, share in projected.values()]
