"""MovieLens: 100K (``u.data``), 1M and 10M (``ratings.dat``), 20M and later (``ratings.csv``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msm4sr_lite.dataset.cells import number, printable_id
from msm4sr_lite.dataset.convert.records import (
    Interaction,
    ItemRow,
    Skipped,
    Source,
    item_row,
)
from msm4sr_lite.dataset.convert.tolerant import each_line, each_row

NAME = "MovieLens"
FILES = "u.data and u.item, or ratings.dat and movies.dat, or ratings.csv and movies.csv"
PAIRS = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
# The flags at the end of a line of u.item, as its u.genre names them; the first is "unknown".
GENRES = (
    "", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


def find(source: Path) -> Source | None:
    """Return the ratings and the movies of one release."""
    folder = source if source.is_dir() else source.parent
    for ratings, movies in PAIRS.items():
        path = folder / ratings
        if path.is_file() and source in (folder, path):
            return Source(path, folder / movies if (folder / movies).is_file() else None)
    return None


def interactions(source: Source, skipped: Skipped) -> Iterator[Interaction]:
    """Yield the ratings."""
    if source.interactions.suffix == ".csv":
        columns = ("userId", "movieId", "rating", "timestamp")
        return each_row(
            source.interactions,
            lambda row: _rating([row[name] for name in columns]),
            columns,
            skipped,
        )
    separator = "\t" if source.interactions.suffix == ".data" else "::"
    expected = f"user, movie, rating and time, separated by {separator!r}"
    return each_line(
        source.interactions, lambda line: _rating(line.split(separator)), expected, skipped
    )


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the movies; genres become categories."""
    if source.interactions.suffix == ".csv":
        return each_row(
            source.items,
            lambda row: _movie(row["movieId"], row["title"], row["genres"].split("|")),
            ("movieId", "title", "genres"),
            skipped,
        )
    if source.interactions.suffix == ".data":
        expected = f"id|title|date|date|address and {len(GENRES)} flags of genres"
        return each_line(source.items, _flagged, expected, skipped)
    return each_line(source.items, _dotted, "id::title::genre|genre", skipped)


def _rating(cells: list[str]) -> Interaction:
    if len(cells) != 4:
        raise ValueError(f"{len(cells)} fields instead of 4")
    user, movie, rating, time = cells
    return Interaction(
        printable_id(user, "user"),
        printable_id(movie, "movie"),
        number(time, "timestamp"),
        number(rating, "rating"),
    )


def _dotted(line: str) -> ItemRow:
    movie, _, rest = line.rstrip("\r\n").partition("::")
    title, mark, genres = rest.rpartition("::")
    if not mark:
        raise ValueError("not id::title::genres")
    return _movie(movie, title, genres.split("|"))


def _flagged(line: str) -> ItemRow:
    cells = line.rstrip("\r\n").split("|")
    if len(cells) != 5 + len(GENRES):
        raise ValueError(f"{len(cells)} fields instead of {5 + len(GENRES)}")
    flags = zip(GENRES, cells[5:], strict=True)
    return _movie(cells[0], cells[1], [genre for genre, flag in flags if flag == "1"])


def _movie(movie: str, title: str, genres: list[str]) -> ItemRow:
    known = [genre.strip() for genre in genres if genre.strip() not in ("", "(no genres listed)")]
    return item_row(printable_id(movie, "movie"), title=title.strip(), categories=known)
