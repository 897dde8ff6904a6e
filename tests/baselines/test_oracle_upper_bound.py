"""Results as a share of the oracle upper bound."""

import numpy as np
import pytest
import torch

from msm4sr_lite.baselines import Popularity
from msm4sr_lite.baselines.oracle import UpperBound, expected_ndcg
from msm4sr_lite.config import DataConfig
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.study.specs import prepare
from tests.tiny_study import tiny_study_data


@pytest.fixture(scope="module")
def home(sample_dataset):
    table = load_feature_table(sample_dataset / "features")
    return prepare(Dataset.from_folder(sample_dataset, domain="home"), table, DataConfig())


def test_the_upper_bounds_of_the_sample_are_those_of_version_1(home):
    best = UpperBound(home.dataset.folder, home.sequences).best
    assert best["oracle"] == pytest.approx(0.24048157836480263, abs=1e-8)
    assert best["content"] == pytest.approx(0.21610817100536375, abs=1e-8)


def test_shares_are_means_over_seeds_divided_by_the_upper_bound(home):
    bound = UpperBound(home.dataset.folder, home.sequences)
    bound.best = {"oracle": 1.0}
    assert bound.shares([{"expected_ndcg@10": 0.2}, {"expected_ndcg@10": 0.3}]) == {
        "expected_ndcg@10": 0.25,
        "share_of_upper_bound": {"oracle": 0.25},
    }


def test_items_of_the_history_are_not_ranked(home):
    bound = UpperBound(home.dataset.folder, home.sequences)
    bound.histories, bound.truth = bound.histories[:7], bound.truth[:7]
    scores = np.random.default_rng(0).random((7, 401))

    class Scorer:
        def score(self, histories):
            return torch.from_numpy(scores)

    seen = scores[:, 1:].copy()
    for row, history in zip(seen, bound.histories, strict=True):
        row[history - 1] = -1
    assert bound.expected(Scorer()) == pytest.approx(expected_ndcg(seen, bound.truth).mean())
    assert (scores > 0).all()  # not written into


def test_the_expected_share_of_popularity_is_that_of_version_1(home):
    bound = UpperBound(home.dataset.folder, home.sequences)
    found = bound.shares([{"expected_ndcg@10": bound.expected(Popularity(home.sequences))}])
    assert found["expected_ndcg@10"] == 0.025842
    assert found["share_of_upper_bound"] == {"oracle": 0.1075, "content": 0.1196}


def test_without_an_oracle_there_is_no_upper_bound():
    data = tiny_study_data()
    bound = UpperBound(data.dataset.folder, data.sequences)
    assert bound.best == {}
    assert bound.expected(Popularity(data.sequences)) is None
    assert bound.shares([]) == {}


def test_expected_ndcg_is_the_mean_over_what_may_happen():
    """Against NDCG of every possible next item, weighted by its probability."""
    rng = np.random.default_rng(0)
    scores, truth = rng.random((4, 15)), rng.dirichlet(np.ones(15), 4)
    ranks = 1 + (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    gains = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0)
    np.testing.assert_allclose(expected_ndcg(scores, truth), (gains * truth).sum(axis=1))
