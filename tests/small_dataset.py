"""A small dataset with features of its own, so that a whole fit takes a second or two."""

import numpy as np
import pandas as pd

from msm4sr_lite import MSM4SR, Dataset, FeatureTable
from msm4sr_lite.feature_table import make_slots

N_ITEMS, N_USERS, LENGTH, WIDTH = 30, 40, 8, 12
SMALL = {
    "model__dim": 8,
    "model__ffn_dim": 8,
    "model__pooling_dim": 4,
    "model__experts": 2,
    "pretrain__epochs": 1,
    "finetune__epochs": 1,
    "pretrain__batch_size": 64,
    "finetune__batch_size": 64,
}


def item_frame(n_items=N_ITEMS):
    return pd.DataFrame(
        {
            "item_id": [f"item{i}" for i in range(n_items)],
            "title": [f"Title number {i}" for i in range(n_items)],
        }
    )


def interaction_frame(seed=0):
    """Every user interacts with some items, none of them twice, on a scale of time of their own."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"user{u}", f"item{i}", 100 * u + t)
        for u in range(N_USERS)
        for t, i in enumerate(rng.choice(N_ITEMS, LENGTH, replace=False))
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def feature_table(n_items=N_ITEMS):
    """One text slot and one image slot per item, all different."""
    rng = np.random.default_rng(5)
    counts = np.array([0, *[1] * n_items])
    text, image = (
        make_slots(rng.standard_normal((n_items, WIDTH)).astype(np.float16), counts.copy())
        for _ in range(2)
    )
    manifest = {"width": WIDTH, "content": "made for a test", "text_encoder": {}, "format": 2}
    return FeatureTable(["", *(f"item{i}" for i in range(n_items))], text, image, manifest)


def dataset(interactions=None, items=None):
    """The dataset of these frames, or the usual one."""
    interactions = interaction_frame() if interactions is None else interactions
    return Dataset.from_frames(interactions, item_frame() if items is None else items, name="toys")


def fitted(data=None, *, seed=3, settings=None, **options):
    """A model fitted in a second."""
    options = {"features": feature_table(), **options}
    return MSM4SR(seed=seed, **{**SMALL, **(settings or {})}).fit(data or dataset(), **options)
