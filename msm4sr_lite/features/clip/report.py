"""Measure a model's keywords on images whose labels are known, and write its model card."""

from collections import Counter
from collections.abc import Collection, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from msm4sr_lite.features.clip.labels import label_words
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.store.files import write_text

BATCH_SIZE = 64  # images per forward pass


def label_retrieval(
    clip: Path,
    words: Sequence[str],
    folder: Path,
    test: pd.DataFrame,
    training: pd.DataFrame,
    device: str,
) -> dict[str, Any]:
    """Rank all label words for every test image, as ``msm4sr keywords`` does.

    Parameters
    ----------
    clip
        Model folder.
    words
        The dictionary.
    folder
        The folder of the images.
    test
        Their labels, as ``read_labels`` returns them.
    training
        The labels of the training images, for the ranking by frequency.
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
    ranked: list[list[str]] = []
    for start in range(0, len(test), BATCH_SIZE):
        images = [open_image(folder, name) for name in test.index[start : start + BATCH_SIZE]]
        best = tokenizer.keywords(images, len(words))
        ranked += [[keyword.word for keyword in row] for row in best]
    counts = Counter(chain(*chain(*training.to_numpy())))
    frequent = sorted(words, key=lambda word: -counts[word])
    true = [set(chain(*cells)) for cells in test.to_numpy()]
    first_of_column = {}
    for column, known in label_words(pd.concat([training, test])).items():
        pairs = zip(ranked, test[column], strict=True)
        hits = [next(w for w in row if w in known) in cell for row, cell in pairs if cell]
        first_of_column[column] = round(sum(hits) / max(1, len(hits)), 4)
    k = len(test.columns)
    return {
        "images": len(ranked),
        "words": len(words),
        **precision_and_recall(ranked, true, k),
        "by_frequency": precision_and_recall([frequent] * len(ranked), true, k),
        "first_of_column": first_of_column,
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
    recall = sum(len(set(row[:10]) & set(labels)) / len(labels) for row, labels in pairs)
    return {
        f"precision@{k}": round(precision / len(pairs), 4),
        "recall@10": round(recall / len(pairs), 4),
    }


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights, with the figures of ``evaluation.json``."""
    k, rows = len(report["columns"]), []
    for part in ("validation", "test"):
        if found := report.get(part):
            numbers = (
                of[f]
                for of in (found, found["by_frequency"])
                for f in (f"precision@{k}", "recall@10")
            )
            cells = [f"{found['images']} of {part}", *(f"{number:.3f}" for number in numbers)]
            rows.append(f"| {' | '.join(cells)} |")
    template = resources.files("msm4sr_lite.features.clip").joinpath("model_card.txt")
    names = ", ".join(report["columns"])
    text = template.read_text("utf-8").format(
        **report, k=k, column_names=names, rows="\n".join(rows)
    )
    write_text(folder / "README.md", text)
