"""Measure a model's keywords on images whose labels are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.features.clip.labels import LabelledFolder
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

RECALL_AT = 10
BATCH_SIZE = 64  # images per forward pass


def label_retrieval(
    clip: Path, words: Sequence[str], test: LabelledFolder, training: LabelledFolder, device: str
) -> dict[str, Any]:
    """Rank all label words for every test image, as ``msm4sr keywords`` does.

    Parameters
    ----------
    clip
        Model folder.
    words
        The dictionary.
    test
        Images with their labels.
    training
        The training images, for the ranking by frequency.
    device
        Where it runs.

    Returns
    -------
    report
        Numbers of images and words; ``precision@k`` with k the number of label columns and
        ``recall@10``; the same for the most frequent labels, whatever the image shows
        (``by_frequency``); and ``first_of_column``: how often the best word of a column is a
        label of the image.
    """
    tokenizer = KeywordTokenizer(str(clip), words, device=device)
    ranked = []
    for start in range(0, len(test.images), BATCH_SIZE):
        names = test.images[start : start + BATCH_SIZE]
        images = [open_image(test.folder, name) for name in names]
        best = tokenizer.keywords(images, len(words))
        ranked += [[keyword.word for keyword in row] for row in best]
    counts = Counter(w for cells in training.labels.values() for cell in cells for w in cell)
    frequent = sorted(words, key=lambda word: -counts[word])
    true = [{w for cell in row for w in cell} for row in zip(*test.labels.values(), strict=True)]
    test_words = test.column_words
    return {
        "images": len(ranked),
        "words": len(words),
        **precision_and_recall(ranked, true, len(test.labels)),
        "by_frequency": precision_and_recall([frequent] * len(ranked), true, len(test.labels)),
        "first_of_column": {
            column: _first(ranked, cells, {*training.column_words[column], *test_words[column]})
            for column, cells in test.labels.items()
        },
    }


def precision_and_recall(
    ranked: Sequence[Sequence[str]], true: Sequence[Collection[str]], k: int
) -> dict[str, float]:
    """Return the share of the first k words that are true, and of the true words in the first 10.

    >>> precision_and_recall([["red", "mug", "tall"]], [{"red", "tall"}], 2)
    {'precision@2': 0.5, 'recall@10': 1.0}
    """
    pairs = list(zip(ranked, true, strict=True))
    precision = sum(len(set(row[:k]) & set(labels)) / k for row, labels in pairs)
    recall = sum(len(set(row[:RECALL_AT]) & set(labels)) / len(labels) for row, labels in pairs)
    return {
        f"precision@{k}": round(precision / len(pairs), 4),
        f"recall@{RECALL_AT}": round(recall / len(pairs), 4),
    }


def _first(
    ranked: Sequence[Sequence[str]], cells: Sequence[Collection[str]], words: Collection[str]
) -> float:
    """Return how often the first of ``words`` is a label, among images with a label."""
    answers = [
        next(word for word in row if word in words) in cell
        for row, cell in zip(ranked, cells, strict=True)
        if cell
    ]
    return round(sum(answers) / max(1, len(answers)), 4)
