"""A slow, simple second reader of dataset folders, which says what the right reading is.

It follows the documented rules and shares no code with the library: whole files in memory, the
modules csv and json, one cell after the other. It reads what can have one meaning only, and raises
``Refused`` for the rest. The library must agree with it, refuse, or add a note.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import math
import os
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.robustness.slow_times import Refused, is_missing, text_of_bytes, times_of

KINDS = ("csv", "csv.gz", "tsv", "tsv.gz", "jsonl", "jsonl.gz", "parquet")
PLAIN_TEXTS = ("title", "brand")
LISTED_TEXTS = ("description", "text")
ITEM_COLUMNS = ("item_id", "title", "brand", "categories", "description", "text", "image")
ITEM_COLUMNS += ("images", "domain", "department")
COLUMNS = ("user_id", "item_id", "timestamp")


@dataclass
class Reading:
    """What a dataset folder holds: items in the order of the table, interactions by time."""

    items: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    interactions: list[tuple[str, str, float]] = field(default_factory=list)


def read(folder: Path) -> Reading:
    """Read a dataset folder."""
    try:
        return read_tables(folder)
    except RecursionError:
        raise Refused("nested too deeply") from None


def read_tables(folder: Path) -> Reading:
    """Read both tables of a dataset folder."""
    items = {}
    has_table = [path for path in folder.iterdir() if path.name.lower().startswith("item")]
    rows = rows_of(folder, "items", "jsonl", ITEM_COLUMNS, ("item_id",)) if has_table else []
    for row in rows:
        item = item_of(row)
        if item[0] in items:
            raise Refused(f"two items {item[0]}")
        items[item[0]] = item
    table = rows_of(folder, "interactions", "csv", (*COLUMNS, "part"), COLUMNS)
    ids = [(id_of(row.get("user_id")), id_of(row.get("item_id"))) for row in table]
    if not has_table:
        items = {item: item_of({"item_id": item}) for _, item in ids}
    if not items or not ids:
        raise Refused("an empty table")
    times = times_of([row.get("timestamp") for row in table])
    if unknown := [item for _, item in ids if item not in items]:
        raise Refused(f"unknown item {unknown[0]}")
    found = [(*pair, time) for pair, time in zip(ids, times, strict=True)]
    return described_only(Reading(items, sorted(found, key=lambda row: row[2])))


def described_only(reading: Reading) -> Reading:
    """Leave out items with neither text nor image, and their interactions."""
    items = {key: item for key, item in reading.items.items() if any(item[1:-1])}
    items = items or reading.items
    found = [row for row in reading.interactions if row[1] in items]
    if not found:
        raise Refused("no interactions are left")
    return Reading(items, found)


# ------------------------------------------------------------------------------ tables


def rows_of(
    folder: Path, stem: str, usual: str, known: tuple[str, ...], needed: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the rows of a table, with the known names of its columns."""
    kinds = sorted(KINDS, key=lambda kind: kind != usual)
    paths = [path for kind in kinds if (path := folder / f"{stem}.{kind}").exists()]
    if not paths or not paths[0].is_file() or paths[0].resolve() == Path("/dev/zero"):
        raise Refused(f"no {stem}")
    path = paths[0]
    if not os.access(path, os.R_OK):
        raise Refused(f"{path.name} may not be read")
    if path.suffix == ".parquet":
        rows = parquet_rows(path)
    else:
        text = text_of(path.read_bytes())
        rows = json_rows(text) if ".jsonl" in path.name else csv_rows(text, ".tsv" in path.name)
    names = known_names({name: None for row in rows for name in row}, known)
    found = [{names[name]: cell for name, cell in row.items()} for row in rows]
    if ".jsonl" not in path.name and rows and not set(needed) <= set(names.values()):
        raise Refused(f"a column of {needed} is missing")
    return found


def known_names(names: Any, known: tuple[str, ...]) -> dict[str, str]:
    """Return the known name of each column: names may differ in case, spaces and hyphens."""
    found = {name: name for name in names}
    for name in names:
        plain = re.sub(r"[\s._-]+", "", name).lower()
        match = [one for one in known if one.replace("_", "") == plain and one not in names]
        if match and name not in known:
            if match[0] in found.values():
                raise Refused(f"two columns {match[0]}")
            found[name] = match[0]
    return found


def text_of(data: bytes) -> str:
    """Return the text of a file: unpacked, however often it was packed, and decoded."""
    try:
        while data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
        return data.decode(marks.get(data[:2], "utf-8-sig"))
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise Refused(str(error)) from None


def csv_rows(text: str, tabs: bool) -> list[dict[str, Any]]:
    """Return the rows of a csv or tsv file; blank lines do not count."""
    limit = csv.field_size_limit(1 << 30)
    try:
        lines = io.StringIO(text, newline="")
        header, *rows = csv.reader(lines, delimiter="\t" if tabs else ",", strict=True)
    except (ValueError, csv.Error) as error:
        raise Refused(str(error)) from None
    finally:
        csv.field_size_limit(limit)
    header = [name.strip() for name in header]
    if len(set(header)) < len(header):
        raise Refused("two columns of one name")
    found = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        while len(row) > len(header) and not row[-1].strip():
            row.pop()
        if len(row) != len(header):
            raise Refused(f"{len(row)} cells, but the header has {len(header)}")
        found.append(dict(zip(header, row, strict=True)))
    return found


def json_rows(text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON lines file."""
    try:
        lines = re.split(r"\r\n|\n|\r", text)  # JSON holds no bare carriage return
        rows = [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from None
    if not all(isinstance(row, dict) for row in rows):
        raise Refused("not an object")
    return rows


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read().to_pylist()
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        raise Refused(str(error)) from None


# ------------------------------------------------------------------------------ cells


def id_of(value: Any) -> str:
    """Return an id as text."""
    value = text_of_bytes(value)
    if isinstance(value, (bool, list, dict)) or is_missing(value):
        raise Refused(f"no id: {value}")
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        if abs(value) >= 2**53:
            raise Refused(f"{value} is not exact")
        value = int(value)
    found = str(value).strip()
    if not found or re.fullmatch(r"\d[.,]\d+[eE]\+\d\d+", found):
        raise Refused(f"id {found!r}")
    if any("\ud800" <= letter <= "\udfff" for letter in found):
        raise Refused("half of a surrogate pair")
    return found


def text_cell(value: Any) -> str:
    """Return a text; true, false, dictionaries and missing cells are none."""
    value = listed(text_of_bytes(value))
    if isinstance(value, list):
        return "\n".join(filter(None, map(text_cell, value)))
    return "" if isinstance(value, (bool, dict)) or is_missing(value) else str(value).strip()


def text_cells(value: Any) -> tuple[str, ...]:
    """Return the texts of a cell that may hold a list."""
    value = listed(text_of_bytes(value), empty=True)
    entries = value if isinstance(value, list) else [value]
    return tuple(filter(None, map(text_cell, entries)))


def listed(value: Any, empty: bool = False) -> Any:
    """Return the list of texts that a text spells out, as JSON, Python and NumPy write them."""
    text = value.strip() if isinstance(value, str) else ""
    if not (text.startswith("[") and text.endswith("]")):
        return value
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        apart = re.sub(r"""(?<=['"])\s+(?=['"])""", ", ", text)
        try:
            found = ast.literal_eval(re.sub(r"\bnan\b", "None", apart))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    if not all(isinstance(entry, str) or entry is None for entry in found):
        return value
    return found if empty or any(entry and entry.strip() for entry in found) else value


def item_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return an item: id, title, brand, categories, description, text, images, domain."""
    for name in ITEM_COLUMNS[1:]:
        if isinstance(row.get(name), (bool, dict)):
            raise Refused(f"{name} is no text")
    domain, other = text_cell(row.get("domain")), text_cell(row.get("department"))
    if domain and other and domain != other:
        raise Refused("two domains")
    images = text_cells(row.get("images")) or text_cells(row.get("image"))
    for name in images:
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise Refused(f"image {name} lies outside")
    title, brand = (text_cell(row.get(name)) for name in PLAIN_TEXTS)
    description, text = ("\n".join(text_cells(row.get(name))) for name in LISTED_TEXTS)
    categories = text_cells(row.get("categories"))
    where = domain or other
    return id_of(row.get("item_id")), title, brand, categories, description, text, images, where
