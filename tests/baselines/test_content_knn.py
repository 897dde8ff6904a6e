import numpy as np
import pytest
from scipy import sparse
from toys import toy_table

from msm4sr_lite.baselines.content_knn import ContentKNN, mean_embeddings, tfidf_vectors


def test_content_neighbours_by_hand():
    vectors = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8]])
    expected = [0, 0.5 + 0.6, 0.8, 0.5 * 0.6 + 1]
    for kind in (np.asarray, sparse.csr_array):
        found = ContentKNN(kind(vectors), decay=0.5).score([np.array([1, 3])])
        assert found[0].tolist() == pytest.approx(expected)


def test_tfidf_measures_likeness_and_accepts_texts_without_words():
    vectors = tfidf_vectors(["", "red oak clock", "red oak table", "tent"])
    near = (vectors @ vectors.T).toarray()
    assert near[1, 1] == pytest.approx(1)
    assert near[1, 2] > near[1, 3] == 0
    assert not near[0].any()
    assert not tfidf_vectors(["", "", ""]).toarray().any()


def test_mean_embeddings_are_unit_means_of_real_slots():
    table = toy_table([2, 0, 3], [0, 0, 0])
    found = mean_embeddings(table.text)
    first = table.text.vectors[:2].float().mean(dim=0)
    assert found[1] == pytest.approx((first / first.norm()).numpy(), abs=1e-6)
    assert not found[[0, 2]].any()
