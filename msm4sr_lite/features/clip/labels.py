"""Read a folder of labelled images: ``labels.csv`` names each image and its labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.tables import read_rows
from msm4sr_lite.features.word_lists import word_list

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
NO_LABEL = {"", "-", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown"}
MAX_LABEL_LENGTH = 40  # characters; longer values are texts
# A label column has at most this share of different values per image, or this many in all.
MAX_DISTINCT_SHARE = 0.05
MAX_DISTINCT = 20
MIN_WORD_SHARE = 0.01  # share of the texts of a column that must contain a word


@dataclass(frozen=True)
class LabelledFolder:
    """The content of ``labels.csv``.

    Attributes
    ----------
    folder
        The folder of the images.
    images
        Image names relative to the folder.
    labels
        Label words of each image, by column; empty where the cell is empty.
    missing
        Number of rows that name a file which does not exist.
    """

    folder: Path
    images: list[str]
    labels: dict[str, list[tuple[str, ...]]]
    missing: int

    @property
    def words(self) -> list[str]:
        """All label words, column by column, each once."""
        return list(dict.fromkeys(w for words in self.column_words.values() for w in words))

    @property
    def column_words(self) -> dict[str, list[str]]:
        """Return the label words of each column in alphabetical order."""
        return {
            column: sorted({word for words in cells for word in words})
            for column, cells in self.labels.items()
        }

    def select(self, rows: Sequence[int]) -> LabelledFolder:
        """Return a copy with these images only."""
        return LabelledFolder(
            self.folder,
            [self.images[k] for k in rows],
            {column: [cells[k] for k in rows] for column, cells in self.labels.items()},
            self.missing,
        )


def read_labels(folder: Path, columns: Sequence[str] = ()) -> LabelledFolder:
    """Read a folder of labelled images.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and the images.
    columns
        The label columns; by default those with few different, short values. A named column of
        long texts gives the words that occur in many of its texts.

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
    image = "image" if "image" in table.columns else str(table.columns[0])
    files = _find(folder, table[image])
    found_rows = [k for k, name in enumerate(files) if name]
    if not found_rows:
        raise UserError(
            f"{path}: column {image!r} must name the image files, but none of its {len(table)}"
            f" names is a file in {folder} (the first: {table[image].iloc[0]!r})"
        )
    table = table.iloc[found_rows]
    texts = {  # without a leading "#", which would start a comment in words.txt
        str(name): table[name].str.split().str.join(" ").str.lstrip("# ")
        for name in table
        if name != image
    }
    chosen = list(columns) or [name for name, cells in texts.items() if _is_label(cells)]
    if unknown := [name for name in chosen if name not in texts]:
        raise UserError(
            f"{path}: no label column {unknown[0]!r}; the columns are: {', '.join(texts) or 'none'}"
        )
    if not chosen:
        raise UserError(
            f"{path}: no column with few different, short labels; name the label columns with"
            f" --columns (the columns are: {', '.join(texts) or 'none'})"
        )
    labels = _one_spelling({name: _labels(texts[name]) for name in chosen})
    if empty := [name for name, cells in labels.items() if len({w for c in cells for w in c}) < 2]:
        raise UserError(
            f"{path}: column {empty[0]!r} has fewer than two different labels; leave it out of"
            " --columns"
        )
    names = [str(files[k]) for k in found_rows]
    found = LabelledFolder(folder, names, labels, len(files) - len(names))
    labelled = [k for k, cells in enumerate(zip(*labels.values(), strict=True)) if any(cells)]
    return _merge_rows(found.select(labelled))


def _merge_rows(found: LabelledFolder) -> LabelledFolder:
    """Merge the rows of one image, which could else be in both training and test."""
    rows: dict[str, list[int]] = {}
    for k, name in enumerate(found.images):
        rows.setdefault(name, []).append(k)
    labels = {
        column: [tuple(dict.fromkeys(w for k in same for w in cells[k])) for same in rows.values()]
        for column, cells in found.labels.items()
    }
    return LabelledFolder(found.folder, list(rows), labels, found.missing)


def _find(folder: Path, names: pd.Series[str]) -> list[str | None]:
    """Find each image by its name, also in ``images/`` and without its ending."""
    places: dict[str, str] = {}
    for place in (folder / "images", folder):  # the folder itself comes first
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.suffix.lower() in ENDINGS:
                relative = file.relative_to(folder).as_posix()
                places |= {file.stem: relative, file.name: relative}
    return [name if _is_inside(folder, name) else places.get(name) for name in names.str.strip()]


def _is_inside(folder: Path, name: str) -> bool:
    path = folder / name
    try:
        return path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except OSError:  # such as a name of a thousand characters
        return False


def _is_label(cells: pd.Series[str]) -> bool:
    """Return whether a column has few different, short values that are not all numbers."""
    values = {cell for cell in cells if cell.lower() not in NO_LABEL}
    return (
        2 <= len(values) <= max(MAX_DISTINCT, MAX_DISTINCT_SHARE * len(cells))
        and max(map(len, values)) <= MAX_LABEL_LENGTH
        and not all(re.fullmatch(r"[\d.,:/ -]+", value) for value in values)
    )


def _labels(cells: pd.Series[str]) -> list[tuple[str, ...]]:
    """Return each image's labels: the value itself, or the common words of a column of texts."""
    if cells.str.len().max() <= MAX_LABEL_LENGTH and cells.nunique() <= max(
        MAX_DISTINCT, len(cells) / 2
    ):
        return [() if cell.lower() in NO_LABEL else (cell,) for cell in cells]
    stop = set(word_list("stop_words"))
    found = [dict.fromkeys(re.findall(r"[^\W\d_]{3,}", cell.lower())) for cell in cells]
    counts = Counter(word for words in found for word in words)
    least = max(2, MIN_WORD_SHARE * len(cells))
    return [
        tuple(word for word in words if counts[word] >= least and word not in stop)
        for words in found
    ]


def _one_spelling(
    labels: dict[str, list[tuple[str, ...]]],
) -> dict[str, list[tuple[str, ...]]]:
    """Spell "Black", "black" and "BLACK" like the first of them: the tokenizer ignores case."""
    first: dict[str, str] = {}
    return {
        column: [tuple(first.setdefault(word.lower(), word) for word in cell) for cell in cells]
        for column, cells in labels.items()
    }
