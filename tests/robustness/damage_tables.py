"""Damage to tables that are text: rows, cells, separators, quotes, ids, dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

# Ids that programs mistake for something else, or cannot show.
ODD_IDS = ["007", "1e5", "1.5E+18", "1.0", "nan", "NULL", "", " ", "-1", "0", "9007199254740993"]
ODD_IDS += ["a\u202eb", "a\u2028b", "\x1b[31mred", "a\x00b", "\u200b", "=1+1", "u1,u2", "é", "é"]
ODD_IDS += ["🙂", "x" * 300, "../../etc/passwd", "True", "u1 ", "\u00a0u1", "a\u0085b", "a\x7fb"]
ODD_TIMES = ["9999-12-31", "0001-01-01", "1969-12-31", "2023-11-14T22:13:20+01:00", "20231114"]
ODD_TIMES += ["2023-11-14 22:13:20 UTC", "14.11.2023", "11/14/2023", "2023-02-30", "1700000000000"]
ODD_TIMES += [
    "1700000000000000",
    "-5",
    "1e400",
    "nan",
    "inf",
    "",
    "1_000",
    "0x10",
    "today",
    "12:30",
]
ODD_TIMES += ["2023-11-14T24:00:00", "2023-W46-2", "9" * 400, "1,5", "٣", "True", "1700000000.5"]


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _separator(line: str) -> str:
    """Return the separator that the header of a table shows."""
    return max(("\t", ",", "::", "|"), key=line.count)


def _row(lines: list[str], rng: Random) -> int:
    """Return the number of a row; sometimes that of the header."""
    return rng.randrange(len(lines)) if rng.random() < 0.15 else rng.randrange(1, len(lines))


def change_cell(change: Callable[[str, Random], str], name: str, many: bool = False) -> Callable:
    """Return a damage that changes one cell of one row, or of every third row."""

    def damage(data: bytes, rng: Random) -> bytes:
        lines = _lines(data)
        mark = _separator(lines[0])
        column = rng.randrange(len(lines[0].split(mark)))
        rows = range(1, len(lines), 3) if many else [_row(lines, rng)]
        for row in rows:
            cells = lines[row].split(mark)
            if column < len(cells):
                cells[column] = change(cells[column], rng)
                lines[row] = mark.join(cells)
        return _joined(lines)

    damage.__name__, damage.__doc__ = name, f"{name} in a column."
    return damage


def change_row(change: Callable[[str, str, Random], list[str]], name: str) -> Callable:
    """Return a damage that replaces one row by any number of lines."""

    def damage(data: bytes, rng: Random) -> bytes:
        lines = _lines(data)
        row = _row(lines, rng)
        lines[row : row + 1] = change(lines[row], _separator(lines[0]), rng)
        return _joined(lines)

    damage.__name__, damage.__doc__ = name, f"{name} in the place of a row."
    return damage


def shuffle_rows(data: bytes, rng: Random) -> bytes:
    """Sort the rows in another way; the header stays."""
    head, *rows = _lines(data)
    rows = [row for row in rows if row]
    rng.choice([rng.shuffle, list.reverse])(rows)
    return _joined([head, *rows, ""])


def other_separator(data: bytes, rng: Random) -> bytes:
    """Separate cells by another character."""
    lines = _lines(data)
    other = rng.choice([";", "\t", "|", ",", " "])
    return _joined([line.replace(_separator(lines[0]), other) for line in lines])


def drop_column(data: bytes, rng: Random) -> bytes:
    """Leave out a column."""
    lines = _lines(data)
    mark = _separator(lines[0])
    column = rng.randrange(lines[0].count(mark) + 1)
    cells = [line.split(mark) for line in lines]
    return _joined([mark.join(row[:column] + row[column + 1 :]) for row in cells])


def double_column(data: bytes, rng: Random) -> bytes:
    """Write a column twice, under the same name."""
    lines = _lines(data)
    mark = _separator(lines[0])
    column = rng.randrange(lines[0].count(mark) + 1)
    cells = [line.split(mark) for line in lines]
    return _joined([mark.join([*row, *row[column : column + 1]]) for row in cells])


def dress_header(data: bytes, rng: Random) -> bytes:
    """Write the names of the columns in another way."""
    head, *rows = _lines(data)
    dress = rng.choice([str.upper, str.title, lambda text: " " + text, lambda t: f"\x1b[1m{t}"])
    return _joined([dress(head), *rows])


TIME_FORMS = ["%Y%m%d", "%Y%m%d%H%M%S", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S UTC", "%d/%m/%Y", "%s000"]
TIME_FORMS += [
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S+05:30",
    "%d %b %Y",
    "%s.25",
    "%Y-%m-%d %I:%M %p",
]


def other_times(data: bytes, rng: Random) -> bytes:
    """Write all seconds since 1970 in another form."""
    form = rng.choice(TIME_FORMS)

    def write(found: re.Match[str]) -> str:
        moment = datetime.fromtimestamp(int(found[0]), UTC)
        return moment.strftime(form.replace("%s", found[0]))

    text = data.decode("utf-8", "surrogateescape")
    return re.sub(r"\b1[67]\d{8}\b", write, text).encode("utf-8", "surrogateescape")


def quote_all(data: bytes, rng: Random) -> bytes:
    """Put every cell into quotes, as spreadsheets do."""
    lines = _lines(data)
    mark = _separator(lines[0])
    return _joined(
        [mark.join(f'"{c}"' for c in line.split(mark)) if line else "" for line in lines]
    )


def cell(*values: str) -> Callable[[str, Random], str]:
    """Return a change that puts one of these values into a cell."""
    return lambda _, rng: rng.choice(values)


def next_day(text: str, rng: Random) -> str:
    """Return the ISO date of a number of seconds."""
    return f"2023-11-{rng.randrange(10, 29)}"


ROWS = [
    change_row(lambda row, mark, rng: [], "drop_a_row"),
    change_row(lambda row, mark, rng: [row, row], "row_twice"),
    change_row(lambda row, mark, rng: [row + mark + "1"], "one_cell_more"),
    change_row(lambda row, mark, rng: [row + mark], "separator_at_the_end"),
    change_row(lambda row, mark, rng: [row.rpartition(mark)[0]], "one_cell_less"),
    change_row(lambda row, mark, rng: [row, rng.choice(["", "   ", "\t", mark])], "blank_line"),
    change_row(lambda row, mark, rng: [row[: len(row) // 2], row[len(row) // 2 :]], "broken_line"),
    change_row(lambda row, mark, rng: [row.replace(mark, mark + '"', 1)], "open_quote"),
    change_row(lambda row, mark, rng: [f'"{row}'], "quote_before_a_row"),
    change_row(lambda row, mark, rng: [mark.join(reversed(row.split(mark)))], "cells_reversed"),
]
CELLS = [
    change_cell(cell(*ODD_IDS), "odd_id"),
    change_cell(cell(*ODD_IDS), "odd_ids", many=True),
    change_cell(cell(*ODD_TIMES), "odd_time"),
    change_cell(cell("", "nan", "None", "null", "N/A", "<NA>"), "missing_cell"),
    change_cell(cell(""), "missing_cells", many=True),
    change_cell(next_day, "dates_among_others", many=True),
    change_cell(lambda text, rng: f"  {text} ", "spaces"),
    change_cell(lambda text, rng: f'{text}"', "quote_in_a_cell"),
    change_cell(lambda text, rng: text * 70_000, "huge_cell"),
    change_cell(lambda text, rng: text + ".0", "float_cells", many=True),
    change_cell(lambda text, rng: "0" + text, "leading_zeros", many=True),
    change_cell(lambda text, rng: text + "\udcff", "bytes_that_are_no_text"),
    change_cell(cell("['Home', nan]", '["a", null]', "[1, 2]", "[]", "['a' 'b']", "["), "a_list"),
]
UNTYPED_LINES = [*ROWS, *CELLS, shuffle_rows, other_separator]
TABLES = [*UNTYPED_LINES, drop_column, double_column, dress_header, quote_all, other_times]
