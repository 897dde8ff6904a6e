"""Read a shop folder: purchases, item texts, pictures.

::

    my_shop/
      interactions.csv   user_id,item_id,timestamp     (also .csv.gz and .parquet)
      items.jsonl        item_id,title,brand,categories,description,image
                         (also .csv and .parquet; `images`, a list, may stand for `image`)
      images/            pictures, named relative to the shop folder

Everything in a shop is untrusted until it is checked here. A mistake that would spoil the result
stops with one line that names the file, the line and the mend.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError

COLUMNS = ("user_id", "item_id", "timestamp")
TEXT_FIELDS = ("title", "brand", "categories", "description", "text")


@dataclass(frozen=True, slots=True)
class Item:
    """One product. ``images`` are names relative to the shop folder, checked to stay inside it."""

    item_id: str
    title: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
    description: str = ""
    text: str = ""
    images: tuple[str, ...] = ()
    department: str = ""

    @property
    def has_text(self) -> bool:
        """Whether any text field is filled."""
        return any(getattr(self, name) for name in TEXT_FIELDS)


@dataclass(frozen=True)
class Shop:
    """A shop folder in memory.

    Attributes
    ----------
    path
        The folder.
    items
        ``item_id -> Item`` in file order.
    events
        Columns ``user_id``, ``item_id`` (text) and ``timestamp`` (float), sorted by time; equal
        times keep their order in the file.
    notes
        What was left out on the way in, one sentence each, for the user to read.
    """

    path: Path
    items: dict[str, Item]
    events: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def history(self, user_id: str) -> list[str]:
        """Return the items that a customer bought, oldest first; unknown customers are an error."""
        bought = self.events.loc[self.events["user_id"] == user_id, "item_id"].tolist()
        if not bought:
            raise UserError(f"{self.path}: no purchases of user {user_id!r}; check the user_id")
        return bought


def read_shop(
    path: str | Path,
    *,
    department: str = "",
    unknown_items: Literal["error", "drop"] = "error",
) -> Shop:
    """Read and check a shop folder.

    Parameters
    ----------
    path
        The folder.
    department
        Keep only items whose ``department`` field has this value, and their purchases.
    unknown_items
        What to do with purchases of items that the item file does not list.

    Raises
    ------
    UserError
        With file, line and mend, for anything that cannot be read as meant.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one with interactions.csv and items.jsonl")
    events_path = _find(folder, "interactions", (".csv", ".csv.gz", ".parquet"))
    items_path = _find(folder, "items", (".jsonl", ".csv", ".parquet"))
    items = _read_items(items_path)
    events = _read_events(events_path)
    notes = []

    known = events["item_id"].isin(items.keys()).to_numpy()
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        count = int((~known).sum())
        if unknown_items == "error":
            raise UserError(
                f"{_where(events_path, row)}: item {events['item_id'].iloc[row]!r} is not in"
                f" {items_path.name} ({count} such purchases); add the item, or leave these"
                f" purchases out with --drop-unknown"
            )
        notes.append(f"{count} purchases of items that {items_path.name} does not list: left out")
        events = events[known]

    if department:
        named = sorted({item.department for item in items.values() if item.department})
        if department not in named:
            raise UserError(
                f"{items_path}: no department {department!r};"
                f" there is {', '.join(named) or 'no `department` field'}"
            )
        items = {key: item for key, item in items.items() if item.department == department}
        events = events[events["item_id"].isin(items.keys())]

    empty = [key for key, item in items.items() if not item.has_text and not item.images]
    if empty:
        notes.append(
            f"{len(empty)} items have neither text nor picture (the first is {empty[0]!r}):"
            f" left out, with their purchases; give them a title or an image"
        )
        for key in empty:
            del items[key]
        events = events[events["item_id"].isin(items.keys())]
    if not items or events.empty:
        raise UserError(
            f"{folder}: no purchase is left to learn from" + "".join(f"; {n}" for n in notes)
        )

    events = events.sort_values("timestamp", kind="stable", ignore_index=True)
    return Shop(folder, items, events, notes)


def _find(folder: Path, stem: str, endings: tuple[str, ...]) -> Path:
    for ending in endings:
        if (folder / f"{stem}{ending}").is_file():
            return folder / f"{stem}{ending}"
    others = ", ".join(endings[1:])
    raise UserError(f"{folder}: {stem}{endings[0]} not found (also looked for {others})")


# ---------------------------------------------------------------- interactions


def _read_events(path: Path) -> pd.DataFrame:
    table = _read_table(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; the first line must name"
            f" user_id,item_id,timestamp (found {', '.join(map(str, table.columns[:8]))})"
        )
    if table.empty:
        raise UserError(f"{path}: no purchases in the file; one line per purchase is needed")
    table = table[list(COLUMNS)]
    for name in ("user_id", "item_id"):
        table = table.assign(**{name: table[name].astype(str).str.strip()})
        blank = (table[name] == "").to_numpy()
        if blank.any():
            raise UserError(f"{_where(path, int(np.flatnonzero(blank)[0]))}: empty {name}")
    return table.assign(timestamp=_seconds(table["timestamp"], path))


def _seconds(column: pd.Series, path: Path) -> np.ndarray:
    """Parse numbers as they are, ISO dates as seconds since 1970 (UTC unless they name a zone)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        times = pd.Series(_epoch(pd.to_datetime(column, utc=True)))
    else:
        times = pd.to_numeric(column, errors="coerce").astype("float64")
        if times.isna().all():
            times = pd.Series(
                _epoch(pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601"))
            )
    bad = ~np.isfinite(times.to_numpy())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{_where(path, row)}: timestamp {str(column.iloc[row])!r} is neither a number nor"
            f" an ISO date; use one form, like 1700000000 or 2023-11-14T22:13:20, in every line"
        )
    return times.to_numpy()


def _epoch(times: pd.Series) -> np.ndarray:
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return seconds.to_numpy(dtype="float64")


def _where(path: Path, row: int) -> str:
    """Name the place of a data row (0 = the first after the header), counting as an editor does."""
    if path.suffix == ".parquet":
        return f"{path} row {row + 1}"
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        seen = -1  # the header
        for record in reader:
            seen += bool(record)
            if seen == row + 1:
                return f"{path} line {reader.line_num}"
    return f"{path} row {row + 1}"


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise UserError(
            f"{path}: the file is empty; the first line must name the columns"
        ) from None
    except UnicodeDecodeError:
        raise UserError(_not_utf8(path)) from None
    except ImportError:
        raise UserError(
            f"{path}: reading parquet needs pyarrow: pip install 'msm4sr_lite[parquet]'"
        ) from None
    except (pd.errors.ParserError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as a table: {str(error).splitlines()[0]}"
        ) from None


def _not_utf8(path: Path) -> str:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f"{path} line {number}: not UTF-8; save the file as UTF-8"
    return f"{path}: not UTF-8; save the file as UTF-8"


# ----------------------------------------------------------------------- items


def _read_items(path: Path) -> dict[str, Item]:
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


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix != ".jsonl":
        table = _read_table(path)
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
        raise UserError(_not_utf8(path)) from None


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
        department=_words(record.get("department")),
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
