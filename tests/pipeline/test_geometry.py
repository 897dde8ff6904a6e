"""The recommended whitening on planted features: wanted for a cone, not for a ball."""

import numpy as np
import pandas as pd
import pytest
import torch

from msm4sr_lite import Dataset
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.pipeline import geometry
from msm4sr_lite.pipeline.geometry import report_neighbours

N_ITEMS, WIDTH = 300, 12


def planted(distort, seed=0, image=False):
    """Users who stay close to their taste; features are the items' positions, distorted."""
    rng = np.random.default_rng(seed)
    positions = rng.standard_normal((N_ITEMS, WIDTH))
    rows = []
    for user in range(400):
        taste = rng.standard_normal(WIDTH)
        unit = positions / np.linalg.norm(positions, axis=1, keepdims=True)
        logits = 2.5 * unit @ taste + rng.gumbel(size=N_ITEMS)
        rows += [
            (f"u{user}", f"i{item}", time) for time, item in enumerate((-logits).argsort()[:8])
        ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(N_ITEMS)], "title": "x"})
    vectors = distort(positions).astype(np.float16)
    full = make_slots(vectors, np.array([0, *[1] * N_ITEMS]))
    none = make_slots(vectors[:0], np.zeros(N_ITEMS + 1, int))
    parts = (none, full) if image else (full, none)
    return Dataset.from_frames(interactions, items), FeatureTable(["", *items.item_id], *parts, {})


def cone(positions):
    """A large common part, and a few directions of large variance that say little."""
    return positions * np.array([8.0] * 2 + [0.5] * (WIDTH - 2)) + 6


def test_whitening_is_recommended_for_features_in_a_cone():
    report = report_neighbours(*planted(cone))["text"]
    assert report["recommended"] == {"whitening": "pca", "whitening_dim": 0}
    assert report["difference"]["low"] > 0
    assert report["ndcg@10"]["pca"] > 1.5 * report["ndcg@10"]["none"]
    assert report["effective_dim"] < 4


def test_nothing_is_recommended_for_features_in_a_ball():
    report = report_neighbours(*planted(lambda positions: positions))["text"]
    assert report["recommended"] == {"whitening": "none", "whitening_dim": 0}
    assert report["effective_dim"] > 10


def test_a_smaller_width_is_recommended_where_the_rest_is_noise(monkeypatch):
    monkeypatch.setattr(geometry, "WIDTHS", (2, 12))

    def noisy(positions):
        noise = np.random.default_rng(1).standard_normal((N_ITEMS, 40))
        return np.concatenate([positions, 0.2 * noise], axis=1) + 5

    report = report_neighbours(*planted(noisy))["text"]
    assert report["recommended"] == {"whitening": "pca", "whitening_dim": 12}


def test_images_have_a_report_of_their_own():
    report = report_neighbours(*planted(cone, image=True))
    assert list(report) == ["image"]
    assert report["image"]["recommended"]["whitening"] == "pca"


def test_a_large_dataset_is_sampled(monkeypatch):
    monkeypatch.setattr(geometry, "CASES", 50)
    dataset, table = planted(cone)
    one = report_neighbours(dataset, table)
    assert one == report_neighbours(dataset, table)
    difference = one["text"]["difference"]
    assert difference["high"] - difference["low"] > 0.05


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_features_do_no_harm(value):
    dataset, table = planted(lambda positions: np.full_like(positions, value))
    report = report_neighbours(dataset, table)["text"]
    assert report["effective_dim"] == 0
    assert report["recommended"]["whitening"] == "none"
    assert all(torch.isfinite(torch.tensor(list(report["ndcg@10"].values()))))
