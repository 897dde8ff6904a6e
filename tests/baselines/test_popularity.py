import numpy as np
from toys import toy_sequences

from msm4sr_lite.baselines.popularity import Popularity, count_interactions


def test_popularity_counts_training_interactions():
    sequences = toy_sequences([6, 6, 7], n_items=9)
    counts = np.bincount(np.concatenate(sequences.train()), minlength=10)
    assert count_interactions(sequences).tolist() == counts.tolist()
    scores = Popularity(sequences).score([np.array([1]), np.array([2, 3])])
    assert scores.tolist() == [counts.tolist()] * 2
