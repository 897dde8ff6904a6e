"""Figures of a model's keywords, by hand."""

from msm4sr_lite.features.clip.report import precision_and_recall


def test_precision_counts_missing_labels_as_wrong():
    assert precision_and_recall([["a", "b", "c"]], [{"a"}], 2) == {
        "precision@2": 0.5,
        "recall@10": 1.0,
    }
