"""Generated shops of any size: who bought what, and slots of vectors for every item."""

from __future__ import annotations

import numpy as np

from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.sequences import Sequences


def sequences(users: int, n_items: int, mean_length: float, seed: int = 0) -> Sequences:
    """Customers with 5 or more purchases, lengths geometric, popularity falling as 1 / rank^0.8."""
    rng = np.random.default_rng(seed)
    lengths = 4 + rng.geometric(1 / (mean_length - 4), users)
    share = np.arange(1, n_items + 1) ** -0.8
    # Drawing by the inverse of the distribution: 10 million purchases take a second.
    edges = np.cumsum(share / share.sum())
    events = np.searchsorted(edges, rng.random(lengths.sum())).clip(max=n_items - 1) + 1
    return Sequences(
        users=[f"u{user}" for user in range(users)],
        items=["", *(f"i{item}" for item in range(1, n_items + 1))],
        interactions=rng.permutation(n_items)[events - 1] + 1,
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def table(
    n_items: int,
    text_slots: int = 10,
    image_slots: int = 1,
    width: int = 768,
    seed: int = 0,
    ragged: bool = False,
) -> FeatureTable:
    """Random vectors; with ``ragged`` an item has 1..text_slots of text, else all of them."""
    rng = np.random.default_rng(seed)

    def slots(count: int) -> Slots:
        counts = rng.integers(1, count + 1, n_items) if ragged else np.full(n_items, count)
        vectors = np.empty((counts.sum(), width), dtype=np.float16)
        for start in range(0, len(vectors), 100_000):  # normal numbers are drawn as float32
            part = vectors[start : start + 100_000]
            part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        return make_slots(vectors, np.concatenate([[0], counts]).astype(np.int64))

    names = ["", *(f"i{item}" for item in range(1, n_items + 1))]
    return FeatureTable(names, slots(text_slots), slots(image_slots), {})
