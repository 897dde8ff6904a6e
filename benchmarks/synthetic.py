"""Make synthetic datasets of any size: interactions, and embeddings for every item's slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # `benchmarks.version_worker` uses the arrays with other versions of the package
    from msm4sr_lite.feature_table import FeatureTable
    from msm4sr_lite.sequences import Sequences


def interaction_arrays(
    users: int, n_items: int, mean_length: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return item numbers user by user, and offsets of each user's first item (and of the end).

    Users have 5 or more interactions. Their numbers are geometrically distributed, and popularity
    is proportional to 1 / rank^0.8.
    """
    rng = np.random.default_rng(seed)
    lengths = 4 + rng.geometric(1 / (mean_length - 4), users)
    share = np.arange(1, n_items + 1) ** -0.8
    # Drawing by the inverse of the distribution: 10 million interactions take a second.
    edges = np.cumsum(share / share.sum())
    ranks = np.searchsorted(edges, rng.random(lengths.sum())).clip(max=n_items - 1)
    return rng.permutation(n_items)[ranks] + 1, np.concatenate([[0], np.cumsum(lengths)])


def slot_arrays(
    n_items: int, slots: Sequence[int], width: int, seed: int = 0, ragged: bool = False
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return random embeddings ``(slots, width)`` of each modality, and each item's slot count.

    ``slots`` holds the number of slots per item for each modality. With ``ragged``, it is the
    maximum, and an item has at least one slot.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for count in slots:
        counts = rng.integers(1, count + 1, n_items) if ragged else np.full(n_items, count)
        embeddings = np.empty((counts.sum(), width), dtype=np.float16)
        for start in range(0, len(embeddings), 100_000):  # normal numbers are drawn as float32
            part = embeddings[start : start + 100_000]
            part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        arrays.append((embeddings, np.concatenate([[0], counts]).astype(np.int64)))
    return arrays


def sequences(users: int, n_items: int, mean_length: float, seed: int = 0) -> Sequences:
    """Return users with random histories; arguments as in ``interaction_arrays``."""
    from msm4sr_lite.sequences import Sequences

    interactions, offsets = interaction_arrays(users, n_items, mean_length, seed)
    return Sequences(
        users=[f"u{user}" for user in range(users)],
        items=["", *(f"i{item}" for item in range(1, n_items + 1))],
        interactions=interactions,
        offsets=offsets,
    )


def table(
    n_items: int,
    text_slots: int = 10,
    image_slots: int = 1,
    width: int = 768,
    seed: int = 0,
    ragged: bool = False,
) -> FeatureTable:
    """Return a feature table of random embeddings; arguments as in ``slot_arrays``."""
    from msm4sr_lite.feature_table import FeatureTable, make_slots

    arrays = slot_arrays(n_items, [text_slots, image_slots], width, seed, ragged)
    text, image = (make_slots(*pair) for pair in arrays)
    return FeatureTable(["", *(f"i{item}" for item in range(1, n_items + 1))], text, image, {})
