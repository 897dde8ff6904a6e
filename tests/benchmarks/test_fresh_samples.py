"""The comparison of preset ``tuned`` with version 1 on new samples: its statistics."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.studies.fresh_samples import NAMES, summary


def test_differences_are_averaged_over_datasets():
    values = np.array([[0.10, 0.12], [0.15, 0.14], [0.20, 0.26]])
    found = {
        str(seed): {
            name: {"expected_ndcg@10": value, "seconds": 1.0, "content_bound": 0.4}
            for name, value in zip(NAMES, pair, strict=True)
        }
        for seed, pair in enumerate(values)
    }
    result = summary(found)
    difference = result["difference"]
    each = values[:, 1] - values[:, 0]
    low, high = stats.t.interval(0.95, 2, each.mean(), stats.sem(each))
    assert difference["value"] == pytest.approx(each.mean(), abs=1e-6)
    assert [difference["low"], difference["high"]] == pytest.approx([low, high], abs=1e-6)
    assert result["share_of_content_bound"]["this checkout"] == pytest.approx(0.52 / 1.2, abs=1e-4)
    assert result["expected_ndcg@10"]["version 1"] == pytest.approx(0.15)
