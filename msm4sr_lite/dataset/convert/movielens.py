"""MovieLens: 100K (``u.data``), 1M and 10M (``ratings.dat``), 20M and later (``ratings.csv``)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from msm4sr_lite.dataset.convert import published
from msm4sr_lite.dataset.rows import printable_id
from msm4sr_lite.printable import counted

FILES = "u.data and u.item, or ratings.dat and movies.dat, or ratings.csv and movies.csv"
PAIRS = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
RATING = ("userId", "movieId", "rating", "timestamp")
MOVIE = ("movieId", "title", "genres")
# Genres of the flags at the end of a line of u.item, as in u.genre; the first is "unknown".
GENRES = (
    "", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


def _interactions(source: published.Source) -> Iterator[published.Interaction]:
    path = source.interactions
    if path.suffix == ".csv":
        return source.read(path, _rating, columns=RATING)
    mark = "\t" if path.suffix == ".data" else "::"
    expected = f"user, movie, rating and time, separated by {mark!r}"
    return source.read(path, lambda line: _rating(_cells(line, mark, RATING)), expected=expected)


def _rating(row: dict[str, str]) -> published.Interaction:
    return published.interaction(row, "userId", "movieId", "timestamp", "rating")


def _items(source: published.Source) -> Iterator[dict[str, Any]]:
    """Yield the movies; genres become categories."""
    if source.interactions.suffix == ".csv":
        return source.read(source.items, _movie, columns=MOVIE)
    if source.interactions.suffix == ".data":
        expected = f"id|title|date|date|address and {len(GENRES)} flags of genres"
        return source.read(source.items, _flagged_movie, expected=expected)
    return source.read(source.items, _dotted_movie, expected="id::title::genre|genre")


def _movie(row: dict[str, str]) -> dict[str, Any]:
    genres = [genre.strip() for genre in row["genres"].split("|")]
    return {
        "item_id": printable_id(row["movieId"], "movieId"),
        "title": row["title"].strip(),
        "categories": [genre for genre in genres if genre not in ("", "(no genres listed)")],
    }


def _dotted_movie(line: str) -> dict[str, Any]:
    movie, _, rest = line.partition("::")
    title, mark, genres = rest.rpartition("::")
    if not mark:
        raise ValueError("not id::title::genres")
    return _movie({"movieId": movie, "title": title, "genres": genres})


def _flagged_movie(line: str) -> dict[str, Any]:
    row = _cells(line, "|", ("movieId", "title", "date", "video date", "address", *GENRES))
    return _movie(row | {"genres": "|".join(genre for genre in GENRES if row[genre] == "1")})


def _cells(line: str, mark: str, names: tuple[str, ...]) -> dict[str, str]:
    cells = line.rstrip("\r\n").split(mark)
    if len(cells) != len(names):
        raise ValueError(f"{counted(len(cells), 'field')} instead of {len(names)}")
    return dict(zip(names, cells, strict=True))


_find = partial(published.find_pair, pairs=PAIRS)
MOVIELENS = published.Format("MovieLens", FILES, _find, _interactions, _items)
