"""Match the columns of a table with the columns that the library uses."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msm4sr_lite.config import UserError

COLUMNS = ("user_id", "item_id", "timestamp")  # of the interactions; part may join them
TEXT_FIELDS = ("title", "brand", "categories", "description", "text")
TABLES = ("interactions", "items")
ITEM_COLUMNS = ("item_id", *TEXT_FIELDS, "image", "images", "domain", "department")


class MissingColumn(UserError):
    """A rename names a column that no table has.

    Parameters
    ----------
    message
        What is wrong.
    rename
        The key of the rename.
    """

    def __init__(self, message: str, rename: str) -> None:
        super().__init__(message)
        self.rename = rename


class Columns:
    """The columns of one table: which are used, under which name, and which are not.

    Parameters
    ----------
    table
        Name of the table in messages. It starts with ``items`` or ``interactions``.
    known
        Names of the columns that are used.
    renames
        Name in the table -> name of the column that is used. Renames to other columns are ignored,
        and so are those of the other table, such as ``items.id`` for the interactions.

    Examples
    --------
    >>> columns = Columns("items.csv", ("item_id", "title"), {"sku": "item_id"})
    >>> columns.match(["sku", " Title", "price"])
    {'sku': 'item_id', ' Title': 'title', 'price': 'price'}
    >>> columns.unused
    ['price']
    """

    def __init__(
        self, table: object, known: Sequence[str], renames: Mapping[str, str] | None = None
    ) -> None:
        self.table, self.known = table, known
        self.renames: dict[str, str] = {}
        for old, new in (renames or {}).items():
            where, name = _table_and_name(old)
            if new in known and str(table).startswith(where):
                self.renames[name] = new
        self.names: dict[str, str] = {}

    def match(self, names: Iterable[str]) -> dict[str, str]:
        """Return the used name of each column; a column that is not used keeps its name.

        The renames come first. Then a column is taken for a known one if the names differ only in
        case, spaces and hyphens.

        Raises
        ------
        UserError
            If two columns would be read as the same one.
        """
        new = [name for name in names if name not in self.names]
        self.names |= {name: self.renames.get(name, name) for name in new}
        for name in new:
            plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())  # userId
            plain = re.sub(r"[\s.-]+", "_", plain).casefold()
            if name in self.renames or plain in self.names.values():
                continue
            if plain in self.known:
                self.names[name] = plain
        read_from = {used: name for name, used in self.names.items()}
        for name in new:
            if (other := read_from[self.names[name]]) != name:
                raise UserError(
                    f"{self.table}: columns {name!r} and {other!r} are both read as"
                    f" {self.names[name]!r}; remove one; or, to rename in one table only, write"
                    f" items.NAME or interactions.NAME"
                )
        return self.names

    def rename_row(self, row: dict[str, object]) -> dict[str, object]:
        """Return a row with the used names of its columns."""
        if not row.keys() <= self.names.keys():
            self.match(row)
        return {self.names[name]: cell for name, cell in row.items()}

    @property
    def unused(self) -> list[str]:
        """Names of columns that were found and are not used."""
        return [name for name, used in self.names.items() if used not in self.known]


def _table_and_name(column: object) -> tuple[str, str]:
    """Take ``items.NAME`` apart; the table is empty if a column of either one is meant."""
    where, dot, name = str(column).partition(".")
    return (where, name) if dot and where in TABLES else ("", str(column))


def check_header(
    what: Any, columns: Sequence[str], header: Sequence[str], names: Columns | None = None
) -> list[str]:
    """Return the used names of all columns; refuse one that is missing or there twice.

    Raises
    ------
    UserError
        If a header lacks a column or has a name twice.
    """
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise UserError(f"{what}: two columns are called {twice[0]!r}; rename one")
    used = [names.match(header)[name] for name in header] if names else list(header)
    if missing := [name for name in columns if name not in used]:
        marks = [mark for mark in ";\t|," if len(header) == 1 and mark in header[0]]
        needs = "; the separator seems to be {!r}; save .csv files with commas, others with tabs"
        hint = needs.format(marks[0]) if marks else ""
        rename = f"; if it has another name, say columns={{'NAME': {missing[0]!r}}}"
        rename += f" (--rename NAME={missing[0]})"
        raise UserError(
            f"{what}: no column {', '.join(missing)}; needed are {','.join(columns)}"
            f" (found {', '.join(header)[:80]}){hint or rename if names else hint}"
        )
    return used


def match_tables(
    interactions: object, items: object, renames: Mapping[str, str] | None
) -> tuple[Columns, Columns]:
    """Return the columns of the interactions and of the items, which go by the given names.

    Raises
    ------
    UserError
        If a rename leads to a column that neither table uses.
    """
    known = ((*COLUMNS, "part"), ITEM_COLUMNS)
    if renames is not None and not isinstance(renames, Mapping):
        raise UserError("columns: give a dictionary such as {'sku': 'item_id'}")
    for old, new in (renames or {}).items():
        if not any(new in columns for columns in known):
            choices = ", ".join(dict.fromkeys(known[0] + known[1]))
            raise UserError(f"columns: {old!r} as {new!r}: choose from {choices}")
    return Columns(interactions, known[0], renames), Columns(items, known[1], renames)


def column_notes(tables: Sequence[Columns], renames: Mapping[str, str] | None) -> list[str]:
    """Return a sentence for each table with columns that are not used, after reading the tables.

    Raises
    ------
    UserError
        If a rename names a column that no table has.
    """
    for name in renames or {}:
        old = _table_and_name(name)[1]
        if not any(old in table.names for table in tables):
            found = "; ".join(f"{table.table} has {', '.join(table.names)}" for table in tables)
            raise MissingColumn(f"columns: there is no column {old!r}; {found[:300]}", name)
    notes = []
    for table in tables:
        if unused := [name or "(no name)" for name in table.unused]:
            notes.append(f"{table.table}: columns that are not used: {', '.join(unused)[:200]}")
    return notes
