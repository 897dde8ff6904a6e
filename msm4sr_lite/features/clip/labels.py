"""Read a folder of labelled images, and measure how well a model finds their labels.

The table ``labels.csv`` names each image and its labels.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.tables import read_rows
from msm4sr_lite.features.dictionary import word_list
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
NO_LABEL = {"", "-", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown"}
MAX_LABEL_LENGTH = 40  # characters; longer values are texts
# A label column has at most this share of different values per image, or this many in all.
MAX_DISTINCT_SHARE = 0.05
MAX_DISTINCT = 20
MIN_WORD_SHARE = 0.01  # share of the texts of a column that must contain a word
BATCH_SIZE = 64  # images per forward pass


def read_labels(folder: Path, columns: Sequence[str] = ()) -> tuple[pd.DataFrame, int]:
    """Read a folder of labelled images.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and the images.
    columns
        The label columns; by default those with few different, short values. A named column of
        long texts gives the words that occur in many of its texts.

    Returns
    -------
    labels
        A row per image, whose name (relative to the folder) is in the index, and a column per label
        column. Each cell is a tuple of label words, empty where there is none.
    missing
        Number of rows of ``labels.csv`` that name a file which does not exist.

    Raises
    ------
    UserError
        If there is no table, no image, no such column or no usable one.
    """
    path = folder / "labels.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; write one row per image: its name, then its labels")
    table = pd.DataFrame([cells for _, cells in read_rows(path)], dtype=str)
    table = table.drop(columns="", errors="ignore")
    if table.empty:
        raise UserError(f"{path}: no image in it; write one row per image")
    image = "image" if "image" in table else str(table.columns[0])
    files = _find(folder, table.pop(image))
    table = table.set_axis(files)[[file is not None for file in files]]
    if not len(table):
        raise UserError(
            f"{path}: column {image!r} must name the image files, but none of its {len(files)}"
            f" names is a file in {folder}"
        )
    # Without a leading "#", which would start a comment in words.txt.
    texts = table.apply(lambda cells: cells.str.split().str.join(" ").str.lstrip("# "))
    others = ", ".join(texts) or "none"
    if unknown := [name for name in columns if name not in texts]:
        raise UserError(f"{path}: no label column {unknown[0]!r}; the columns are: {others}")
    chosen = list(columns) or [name for name in texts if _is_label(texts[name])]
    if not chosen:
        raise UserError(
            f"{path}: no column with few different, short labels; name the label columns with"
            f" --columns (the columns are: {others})"
        )
    labels = pd.DataFrame({name: _labels(texts[name]) for name in chosen}, index=texts.index)
    # "Black", "black" and "BLACK" are spelled like the first: the tokenizer ignores case.
    first: dict[str, str] = {}
    labels = labels.map(lambda words: tuple(first.setdefault(w.lower(), w) for w in words))
    if empty := [name for name, words in label_words(labels).items() if len(words) < 2]:
        raise UserError(
            f"{path}: column {empty[0]!r} has fewer than two different labels; leave it out of"
            " --columns"
        )
    labels = labels[labels.map(bool).any(axis=1)]
    # Rows of one image are merged: it could else be in both training and test.
    merged = labels.groupby(level=0, sort=False).agg(_union)
    return merged, len(files) - len(table)


def label_words(labels: pd.DataFrame) -> dict[str, list[str]]:
    """Return the label words of each column in alphabetical order."""
    return {str(name): sorted(set().union(*labels[name])) for name in labels}


def _union(cells: "pd.Series[Any]") -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain(*cells)))


def _find(folder: Path, names: "pd.Series[str]") -> list[str | None]:
    """Find each image by its path, by its name in ``images/`` or the folder, or without ending."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path: path.relative_to(folder).as_posix() for path in paths}
    places: dict[str, str] = {}
    for place in (folder / "images", folder):  # the folder itself comes first
        for path, file in files.items():
            if path.parent == place and path.suffix.lower() in ENDINGS:
                places |= {path.stem: file, path.name: file}
    places |= {file: file for file in files.values()}
    return [places.get(Path(name).as_posix()) for name in names.str.strip()]


def _is_label(cells: "pd.Series[str]") -> bool:
    """Return whether a column has few different, short values that are not all numbers."""
    values = {cell for cell in cells if cell.lower() not in NO_LABEL}
    return (
        2 <= len(values) <= max(MAX_DISTINCT, MAX_DISTINCT_SHARE * len(cells))
        and max(map(len, values)) <= MAX_LABEL_LENGTH
        and not all(re.fullmatch(r"[\d.,:/ -]+", value) for value in values)
    )


def _labels(cells: "pd.Series[str]") -> list[list[str]]:
    """Return each image's labels: the value itself, or the common words of a column of texts."""
    is_short = cells.str.len().max() <= MAX_LABEL_LENGTH
    if is_short and cells.nunique() <= max(MAX_DISTINCT, len(cells) / 2):
        return [[] if cell.lower() in NO_LABEL else [cell] for cell in cells]
    found = [dict.fromkeys(re.findall(r"[^\W\d_]{3,}", cell.lower())) for cell in cells]
    counts = Counter(word for words in found for word in words)
    least, stop = max(2, MIN_WORD_SHARE * len(cells)), set(word_list("stop_words"))
    return [[w for w in words if counts[w] >= least and w not in stop] for words in found]


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
