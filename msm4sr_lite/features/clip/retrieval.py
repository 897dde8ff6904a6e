"""How good are a model's keywords? Ask it about pictures whose labels are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.features.clip.labels import LabelledFolder
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

DEEP = 10  # how many words recall looks at
BATCH = 64  # pictures that go through the model together


def label_retrieval(
    clip: Path, words: Sequence[str], test: LabelledFolder, learnt: LabelledFolder, device: str
) -> dict[str, Any]:
    """Rank all label words for every test picture, as ``msm4sr keywords`` does.

    Parameters
    ----------
    clip
        Model folder.
    words
        The dictionary.
    test
        Pictures with their labels.
    learnt
        The pictures of the training, for the ranking by frequency alone.
    device
        Where it runs.

    Returns
    -------
    report
        Pictures, words; ``precision@k`` with k the number of label columns, ``recall@10``, the
        same for the most frequent labels whatever the picture shows (``by_frequency``), and
        ``first_of_column``: how often the best word of a column is the picture's label.
    """
    tokenizer = KeywordTokenizer(str(clip), words, device=device)
    ranked = []
    for start in range(0, len(test.pictures), BATCH):
        names = test.pictures[start : start + BATCH]
        pictures = [open_image(test.folder, name) for name in names]
        best = tokenizer.keywords(pictures, len(words))
        ranked += [[keyword.word for keyword in row] for row in best]
    counts = Counter(word for cells in learnt.labels.values() for cell in cells for word in cell)
    frequent = sorted(words, key=lambda word: -counts[word])
    true = [{w for cell in row for w in cell} for row in zip(*test.labels.values(), strict=True)]
    return {
        "pictures": len(ranked),
        "words": len(words),
        **precision_and_recall(ranked, true, len(test.labels)),
        "by_frequency": precision_and_recall([frequent] * len(ranked), true, len(test.labels)),
        "first_of_column": {
            column: _first(ranked, cells, {*learnt.column_words[column], *own})
            for (column, cells), own in zip(
                test.labels.items(), test.column_words.values(), strict=True
            )
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
    precision = sum(len(set(row[:k]) & set(own)) / k for row, own in pairs)
    recall = sum(len(set(row[:DEEP]) & set(own)) / len(own) for row, own in pairs)
    return {
        f"precision@{k}": round(precision / len(pairs), 4),
        f"recall@{DEEP}": round(recall / len(pairs), 4),
    }


def _first(
    ranked: Sequence[Sequence[str]], cells: Sequence[Collection[str]], words: Collection[str]
) -> float:
    """Return how often the first of these words is a label, where there is a label."""
    answers = [
        next(word for word in row if word in words) in cell
        for row, cell in zip(ranked, cells, strict=True)
        if cell
    ]
    return round(sum(answers) / max(1, len(answers)), 4)
