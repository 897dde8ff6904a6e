"""The products of a shop folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.tables import not_utf8, read_table


def read_items(path: Path) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order of the file."""
    items: dict[str, Item] = {}
    first: dict[str, str] = {}
    for where, record in _records(path):
        item = _item(record, where)
        if item.item_id in items:
            raise UserError(
                f"{where}: item_id {item.item_id!r} is already used in {first[item.item_id]};"
                f" each item needs its own"
            )
        items[item.item_id] = item
        first[item.item_id] = where.rsplit("/", 1)[-1]
    if not items:
        raise UserError(f"{path}: no items in the file; one item per line is needed")
    return items


def read_cells(path: Path, column: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every item's id and the texts in its cell of any column; a list holds several."""
    columns: dict[str, None] = {}
    for _, record in _records(path):
        columns |= dict.fromkeys(record)
        cell = record.get(column)
        cells = cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell]
        yield _words(record.get("item_id")), [text for text in map(_words, cells) if text]
    if column not in columns:
        raise UserError(f"{path}: no column {column!r}; there is {', '.join(list(columns)[:20])}")


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix != ".jsonl":
        table = read_table(path)
        if "item_id" not in table.columns:
            raise UserError(
                f"{path}: no column item_id (found {', '.join(map(str, table.columns[:8]))})"
            )
        for row, cells in enumerate(table.to_dict("records")):
            yield f"{path} row {row + 1}", {str(key): value for key, value in cells.items()}
        return
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                where = f"{path} line {number}"
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise UserError(f"{where}: not a JSON object: {error}") from None
                if not isinstance(record, dict):
                    raise UserError(f'{where}: not a JSON object; write {{"item_id": ...}}')
                yield where, record
    except UnicodeDecodeError:
        raise UserError(not_utf8(path)) from None


def _item(record: dict[str, Any], where: str) -> Item:
    item_id = _words(record.get("item_id"))
    if not item_id:
        raise UserError(f"{where}: no item_id; every item needs one")
    names = record.get("images")
    if names is None or isinstance(names, str):
        names = [names or record.get("image")]
    images = tuple(_inside(name, where) for name in map(_words, names) if name)
    categories = record.get("categories")
    if isinstance(categories, str) or categories is None:
        categories = [categories]
    return Item(
        item_id=item_id,
        title=_words(record.get("title")),
        brand=_words(record.get("brand")),
        categories=tuple(filter(None, map(_words, categories))),
        description=_words(record.get("description")),
        text=_words(record.get("text")),
        images=images,
        domain=_words(record.get("domain", record.get("department"))),
    )


def _words(value: Any) -> str:
    """Return a field as stripped text; empty for None and NaN, lists joined."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (list, tuple, np.ndarray)):
        return "\n".join(filter(None, map(_words, value)))
    return str(value).strip()


def _inside(name: str, where: str) -> str:
    """Refuse picture names that could leave the shop folder, on any system."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
        raise UserError(
            f"{where}: image {name!r} lies outside the shop folder; put it into images/"
        )
    return name
