"""Read a folder of labelled pictures: which columns of ``labels.csv`` say what a picture shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.tables import read_columns
from msm4sr_lite.features.word_lists import word_list

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
NO_LABEL = {"", "-", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown"}
LONGEST = 40  # characters of a label; longer values are text
MOST_VALUES = 0.05  # a label column has at most this many different values per picture,
FEW_VALUES = 20  # or this many in all
WORD_PICTURES = 0.01  # share of the pictures that a word of a text must describe to be learnt


@dataclass(frozen=True)
class LabelledFolder:
    """What ``labels.csv`` says.

    Attributes
    ----------
    folder
        Where the pictures lie.
    pictures
        Their names, relative to the folder.
    labels
        ``column ->`` the label words of each picture, none where the cell is empty.
    missing
        How many lines of the table name a file that is not there.
    """

    folder: Path
    pictures: list[str]
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

    def choose(self, rows: Sequence[int]) -> LabelledFolder:
        """Return these rows only."""
        return LabelledFolder(
            self.folder,
            [self.pictures[k] for k in rows],
            {column: [cells[k] for k in rows] for column, cells in self.labels.items()},
            self.missing,
        )


def read_labels(folder: Path, columns: Sequence[str] = ()) -> LabelledFolder:
    """Read a labelled picture folder.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and the pictures.
    columns
        The label columns; none: those with few different, short values. A named column of long
        texts gives the words that occur in many of its texts.

    Raises
    ------
    UserError
        If there is no table, no picture, no such column or no usable one.
    """
    path = folder / "labels.csv"
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; it must name a picture in each line and its labels beside it"
        )
    table = read_columns(path).frame
    if table.empty:
        raise UserError(f"{path}: no picture in it; write one line for each picture")
    image = "image" if "image" in table.columns else str(table.columns[0])
    files = _find(folder, table[image])
    there = [k for k, name in enumerate(files) if name]
    if not there:
        raise UserError(
            f"{path}: column {image!r} must name the picture files, but none of its {len(table)}"
            f" names is a file in {folder} (the first: {table[image].iloc[0]!r})"
        )
    table = table.iloc[there]
    texts = {  # without a leading "#", which would make a comment of the line in words.txt
        str(name): table[name].str.split().str.join(" ").str.lstrip("# ")
        for name in table
        if name != image
    }
    chosen = list(columns) or [name for name, cells in texts.items() if _is_label(cells)]
    if unknown := [name for name in chosen if name not in texts]:
        raise UserError(
            f"{path}: no label column {unknown[0]!r}; there are: {', '.join(texts) or 'none'}"
        )
    if not chosen:
        raise UserError(
            f"{path}: no column with few different, short labels; name the label columns with"
            f" --columns (there are: {', '.join(texts) or 'none'})"
        )
    labels = _one_spelling({name: _labels(texts[name]) for name in chosen})
    if empty := [name for name, cells in labels.items() if len({w for c in cells for w in c}) < 2]:
        raise UserError(
            f"{path}: column {empty[0]!r} has fewer than two different labels: nothing to learn;"
            f" leave it out of --columns"
        )
    found = LabelledFolder(folder, [str(files[k]) for k in there], labels, len(files) - len(there))
    labelled = [k for k, cells in enumerate(zip(*labels.values(), strict=True)) if any(cells)]
    return _one_row_each(found.choose(labelled))


def _one_row_each(found: LabelledFolder) -> LabelledFolder:
    """Put all lines of one picture together, or it could be learnt from and tested with."""
    lines: dict[str, list[int]] = {}
    for k, name in enumerate(found.pictures):
        lines.setdefault(name, []).append(k)
    labels = {
        column: [tuple(dict.fromkeys(w for k in own for w in cells[k])) for own in lines.values()]
        for column, cells in found.labels.items()
    }
    return LabelledFolder(found.folder, list(lines), labels, found.missing)


def _find(folder: Path, names: pd.Series[str]) -> list[str | None]:
    """Find each picture by its name, or in ``images/``, with or without its ending."""
    places: dict[str, str] = {}
    for place in (folder / "images", folder):  # the folder itself wins
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.suffix.lower() in ENDINGS:
                relative = file.relative_to(folder).as_posix()
                places |= {file.stem: relative, file.name: relative}
    return [name if _is_inside(folder, name) else places.get(name) for name in names.str.strip()]


def _is_inside(folder: Path, name: str) -> bool:
    path = folder / name
    try:
        return path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except OSError:  # such as a name of a thousand letters
        return False


def _is_label(cells: pd.Series[str]) -> bool:
    """Few different values, all short, not all numbers."""
    values = {cell for cell in cells if cell.lower() not in NO_LABEL}
    return (
        2 <= len(values) <= max(FEW_VALUES, MOST_VALUES * len(cells))
        and max(map(len, values)) <= LONGEST
        and not all(re.fullmatch(r"[\d.,:/ -]+", value) for value in values)
    )


def _labels(cells: pd.Series[str]) -> list[tuple[str, ...]]:
    """Return each picture's labels: the value itself, or of a column of texts the common words."""
    if cells.str.len().max() <= LONGEST and cells.nunique() <= max(FEW_VALUES, len(cells) / 2):
        return [() if cell.lower() in NO_LABEL else (cell,) for cell in cells]
    stop = set(word_list("stop_words"))
    found = [dict.fromkeys(re.findall(r"[^\W\d_]{3,}", cell.lower())) for cell in cells]
    counts = Counter(word for words in found for word in words)
    least = max(2, WORD_PICTURES * len(cells))
    return [
        tuple(word for word in words if counts[word] >= least and word not in stop)
        for words in found
    ]


def _one_spelling(
    labels: dict[str, list[tuple[str, ...]]],
) -> dict[str, list[tuple[str, ...]]]:
    """Write "Black", "black" and "BLACK" alike, as the first one is: the tokenizer cannot tell."""
    first: dict[str, str] = {}
    return {
        column: [tuple(first.setdefault(word.lower(), word) for word in cell) for cell in cells]
        for column, cells in labels.items()
    }
