"""Read a dataset from a dataset folder or from two data frames.

::

    my_dataset/
      interactions.csv   user_id,item_id,timestamp
      items.jsonl        item_id,title,brand,categories,description,text,image,images,domain
      images/            image files, named relative to the dataset folder

Each table is a csv, tsv or JSON lines file, plain or compressed with gzip, or a parquet file. Of a
text field, 20,000 characters are read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset import rows
from msm4sr_lite.dataset.cells import refuse_rounded
from msm4sr_lite.dataset.columns import COLUMNS, Columns, check_header, column_notes, match_tables
from msm4sr_lite.dataset.interactions import check_interactions, merged_ids
from msm4sr_lite.dataset.rows import Item, text, texts
from msm4sr_lite.dataset.tables import ENDINGS, place_in, read_columns, read_rows
from msm4sr_lite.dataset.times import oldest_first
from msm4sr_lite.printable import with_first
from msm4sr_lite.store.files import require_folder


class Tables(NamedTuple):
    """Both tables as they were read, and their names for messages."""

    items: dict[str, Item]
    interactions: pd.DataFrame
    notes: list[str]
    item_table: str
    place_in: str  # text before the row number of an interaction, such as "interactions row"


def read_folder(folder: Path, renames: Mapping[str, str] | None = None) -> Tables:
    """Read the two tables of a dataset folder.

    Parameters
    ----------
    folder
        The dataset folder.
    renames
        Name of a column in a table -> name of the column that is used; see ``columns``.
    """
    require_folder(folder, "a dataset, with interactions.csv and items.jsonl in it")
    notes: list[str] = []
    path = _find(folder, "interactions", ".csv", notes)
    # Any file of a similar name, such as a broken link or items.xlsx, is meant as an item table.
    try:
        names = [path.name.casefold() for path in folder.iterdir()]
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}); change its rights"
        ) from None
    with_items = any(name.startswith("item") for name in names)
    items_path = _find(folder, "items", ".jsonl", notes) if with_items else folder / "items.jsonl"
    interaction_columns, item_columns = match_tables(path.name, items_path.name, renames)
    items = read_items(items_path, item_columns, notes) if with_items else None
    table = read_columns(path, COLUMNS, ("part",), interaction_columns, numbers=("timestamp",))
    notes += column_notes([interaction_columns, item_columns], renames)
    if table.empty:
        raise UserError(f"{path}: no interactions in the file; write one per row")
    interactions = check_interactions(table, place_in(path), notes)
    if items is None:
        items = items_of(interactions, notes, str(items_path))
    return Tables(items, interactions, notes, str(items_path), place_in(path))


def items_of(interactions: pd.DataFrame, notes: list[str], missing: str) -> dict[str, Item]:
    """Return items that are ids and nothing else, for a dataset without an item table."""
    notes.append(f"no {missing}: items are the ids of the interactions, without text or image")
    return {str(item_id): Item(str(item_id)) for item_id in interactions["item_id"].unique()}


def read_items(
    path: Path, names: Columns | None = None, notes: list[str] | None = None
) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order of an item table.

    Parameters
    ----------
    path
        The item table.
    names
        Matches its columns with those that are used.
    notes
        Receives a sentence if texts were cut.

    Raises
    ------
    UserError
        If a row is wrong or two items have the same id; the message names file and line.
    """
    items = rows.collect_items(read_rows(path, ("item_id",), names=names), place_in(path), notes)
    if not items:
        raise UserError(f"{path}: no items in the file; write one per row")
    return items


def read_column(folder: Path, column: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each item's id and the texts in its cell of one column of the item table."""
    path = _find(folder, "items", ".jsonl", [])
    columns: dict[str, None] = {}
    for _, cells in read_rows(path):
        columns |= dict.fromkeys(cells)
        yield text(cells.get("item_id")), texts(cells.get(column))
    if column not in columns:
        raise UserError(f"{path}: no column {column!r}; there is {', '.join(list(columns)[:20])}")


def _find(folder: Path, stem: str, usual: str, notes: list[str]) -> Path:
    """Return the table file of this name; the usual file type is preferred to others."""
    endings = sorted(ENDINGS, key=lambda ending: ending != usual)
    found = [path for ending in endings if (path := folder / f"{stem}{ending}").exists()]
    if not found:
        others = ", ".join(endings[1:])
        raise UserError(f"{folder}: {stem}{usual} not found (also looked for {others})")
    if len(found) > 1:
        others = ", ".join(path.name for path in found[1:])
        notes.append(f"{found[0].name} was read; {others} beside it was not")
    return found[0]


def read_frames(interactions: Any, items: Any, renames: Mapping[str, str] | None = None) -> Tables:
    """Read two data frames; ``renames`` as in ``read_folder``."""
    interaction_columns, item_columns = match_tables("interactions", "items", renames)
    table = _pandas(interactions, COLUMNS, interaction_columns)
    notes: list[str] = []
    checked = check_interactions(table, "interactions row", notes)
    for column in ("user_id", "item_id"):
        if merged := merged_ids(table[column]):
            notes.append(
                f"interactions: ids in {column} that were written in several ways (number and text,"
                f" or spaces): {len(merged)}, such as {', '.join(map(repr, merged[:3]))}: merged"
            )
    if items is None:
        found = items_of(checked, notes, "item table")
    else:
        found = _items_in(items, item_columns, notes)
    notes += column_notes([interaction_columns, item_columns], renames)
    return Tables(found, checked, notes, "items", "interactions row")


def read_item_frame(items: Any, renames: Mapping[str, str] | None = None) -> list[Item]:
    """Return the items of a data frame with a column ``item_id``; see ``Dataset.from_frames``.

    Parameters
    ----------
    items
        The data frame.
    renames
        As ``columns`` of ``Dataset.from_frames``; those of the interactions are ignored.

    Raises
    ------
    UserError
        If a row is wrong, or a renamed column does not exist.
    """
    names = match_tables("interactions", "items", renames)[1]
    found = _items_in(items, names)
    # Columns that both tables can have may be renamed for the interactions alone.
    alone = {old: new for old, new in names.renames.items() if new not in COLUMNS}
    column_notes([names], alone)
    return list(found.values())


def _items_in(frame: Any, names: Columns, notes: list[str] | None = None) -> dict[str, Item]:
    """Return the items of a data frame."""
    table = _pandas(frame, ("item_id",), names)
    refuse_rounded(table["item_id"], "items row")
    return rows.collect_items(enumerate(table.to_dict("records")), "items row", notes)


def _pandas(frame: Any, columns: tuple[str, ...], names: Columns) -> pd.DataFrame:
    """Convert any data frame to pandas, and check that it has the required columns."""
    what = names.table
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    try:
        if hasattr(frame, "to_pandas"):
            frame = frame.to_pandas()
        elif hasattr(frame, "__dataframe__") and not isinstance(frame, pd.DataFrame):
            frame = pd.api.interchange.from_dataframe(frame)
    except ImportError:  # polars and the interchange protocol need pyarrow
        how = f'a {kind} needs pyarrow: pip install "msm4sr_lite[parquet]"'
        raise UserError(f"{what}: {how}") from None
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"{what} is a {kind}; give a pandas or polars data frame")
    used = check_header(what, columns, [str(name) for name in frame.columns], names)
    if frame.empty:
        raise UserError(f"{what}: the data frame has no rows")
    return frame.set_axis(used, axis=1).reset_index(drop=True)


def match_items_and_interactions(
    tables: Tables, domain: str, unknown_items: str
) -> tuple[dict[str, Item], pd.DataFrame, list[str]]:
    """Return the items, the interactions that belong to them, sorted by time, and notes.

    Parameters
    ----------
    tables
        From ``read_folder`` or ``read_frames``.
    domain, unknown_items
        As in ``Dataset.from_folder``.

    Raises
    ------
    UserError
        If an item is unknown, there is no such domain, or nothing is left.
    """
    items, interactions, notes, item_table, place_in = tables
    if unknown_items not in ("error", "drop"):
        raise UserError(f"unknown_items is {unknown_items!r}; use 'error' or 'drop'")
    unknown = interactions[~interactions["item_id"].isin(items.keys())]
    if len(unknown):
        if unknown_items == "error":
            item = unknown["item_id"].iloc[0]
            raise UserError(
                f"{place_in} {unknown.index[0]}: item {item!r} is not in {item_table}"
                f" ({len(unknown)} such interactions); {_damaged_id(item, items)}add the item, or"
                f" drop these interactions with unknown_items='drop' (--drop-unknown)"
            )
        notes.append(f"interactions with items not in {item_table}: {len(unknown)}, dropped")
    if domain:
        named = ", ".join(sorted({item.domain for item in items.values() if item.domain})[:20])
        items = {key: item for key, item in items.items() if item.domain == domain}
        if not items:
            raise UserError(f"{item_table}: no domain {domain!r}; it has {named or 'no domains'}")
    empty = [key for key, item in items.items() if not item.has_content]
    if len(empty) == len(items):
        notes.append("no item has a text or an image: only models of item ids can be trained")
        empty = []
    if empty:
        what = f"items with neither text nor image: {with_first(empty)}"
        notes.append(f"{what}, dropped with their interactions; give them a title or an image")
        items = {key: item for key, item in items.items() if item.has_content}
    interactions = interactions[interactions["item_id"].isin(items.keys())]
    if interactions.empty:
        raise UserError("; ".join([f"{item_table}: no interactions are left", *notes]))
    # Until here, ids are categories, which are fast to compare and to sort.
    interactions = oldest_first(interactions, notes).astype({"user_id": str, "item_id": str})
    return items, interactions, notes


def _damaged_id(unknown: str, items: Mapping[str, Item]) -> str:
    """Return a hint if a known id differs from an unknown one as damaged numbers do."""

    def bare(item_id: str) -> str:
        return item_id.removesuffix(".0").lstrip("0")

    meant = next((item for item in items if bare(item) == bare(unknown)), "")
    return f"is {meant!r} meant? Then export ids as text, not as numbers; or " if meant else ""
