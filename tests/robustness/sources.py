"""Small public datasets in the forms of their publishers, with the interactions of all inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import published_files as published

Table = list[dict[str, Any]]


def amazon_2018(folder: Path, rows: Table, items: Table) -> None:
    """Reviews and items, packed."""
    reviews = [published.review(r["user_id"], r["item_id"], r["timestamp"]) for r in rows]
    meta = [{"asin": i["item_id"], "title": i["title"], "category": ["Home"]} for i in items]
    published.amazon_2018(folder, reviews, meta)


def amazon_2023(folder: Path, rows: Table, items: Table) -> None:
    """Reviews and items of the later release."""
    reviews = [
        {"user_id": r["user_id"], "parent_asin": r["item_id"], "timestamp": r["timestamp"] * 1000}
        | {"rating": 5.0}
        for r in rows
    ]
    meta = [{"parent_asin": i["item_id"], "title": i["title"], "images": []} for i in items]
    published.write(
        folder / "source",
        Mugs__jsonl=published.json_lines(*reviews),
        meta_Mugs__jsonl=published.json_lines(*meta),
    )


def movielens(folder: Path, rows: Table, items: Table) -> None:
    """Ratings and movies of the release 1M."""
    ratings = "".join(
        f"{r['user_id'][1:]}::{r['item_id'][1:]}::4::{r['timestamp']}\n" for r in rows
    )
    movies = "".join(f"{n}::Film {n} (1995)::Comedy|Drama\n" for n in range(len(items)))
    published.write(folder / "source", ratings__dat=ratings, movies__dat=movies)


def movielens_csv(folder: Path, rows: Table, items: Table) -> None:
    """Ratings and movies of the latest release."""
    ratings = "".join(f"{r['user_id'][1:]},{r['item_id'][1:]},4,{r['timestamp']}\n" for r in rows)
    movies = "".join(f'{n},"Film, {n} (1995)",Comedy|Drama\n' for n in range(len(items)))
    published.write(
        folder / "source",
        ratings__csv=f"userId,movieId,rating,timestamp\n{ratings}",
        movies__csv=f"movieId,title,genres\n{movies}",
    )


def recbole(folder: Path, rows: Table, items: Table) -> None:
    """Atomic files."""
    inter = "".join("\t".join(map(str, row.values())) + "\n" for row in rows)
    head = "user_id:token\titem_id:token\ttimestamp:float\n"
    table = "".join(f"{i['item_id']}\t{i['title']}\tKiln\n" for i in items)
    published.write(
        folder / "source",
        mugs__inter=head + inter,
        mugs__item=f"item_id:token\ttitle:token_seq\tbrand:token\n{table}",
    )


def hm(folder: Path, rows: Table, items: Table) -> None:
    """Transactions and articles."""
    published.hm(folder)
    lines = "".join(
        f"2023-11-{1 + n % 28:02},c{r['user_id']},0108775015,0.05,2\n" for n, r in enumerate(rows)
    )
    with (folder / "source" / "transactions_train.csv").open("a", encoding="utf-8") as stream:
        stream.write(lines)


SOURCES: dict[str, Callable[[Path, Table, Table], None]] = {
    "amazon-2018": amazon_2018,
    "amazon-2023": amazon_2023,
    "movielens": movielens,
    "movielens-csv": movielens_csv,
    "recbole": recbole,
    "hm": hm,
}
