"""What a format is, and its published files: bad rows are skipped and counted, too many stop."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.rows import number, printable_id
from msm4sr_lite.dataset.tables import numbered_lines, parse_rows, place_in, read_rows, reason

T = TypeVar("T")

BAD_SHARE = 0.01  # of a file's lines may be bad; in a small file, FEW
FEW = 3
SOON = 10_000  # lines after which a wrong format is noticed without reading on


class Interaction(NamedTuple):
    """One interaction; ``timestamp`` in seconds since 1970."""

    user_id: str
    item_id: str
    timestamp: float
    rating: float | None = None


@dataclass
class Source:
    """The files to convert.

    Attributes
    ----------
    interactions, items
        The two files; ``items`` is None where none was found.
    images
        A folder with images; None: no images.
    level
        What an item is, for formats with a choice (``levels``); empty: their default.
    skipped, first_skipped
        How many lines could not be read so far, and what was wrong with the first.
    """

    interactions: Path
    items: Path | None
    images: Path | None = None
    level: str = ""
    skipped: int = 0
    first_skipped: str = ""

    def read(
        self,
        path: Path | None,
        parse: Callable[[Any], T],
        *,
        columns: Sequence[str] = (),
        kind: str = "csv",
        expected: str = "",
    ) -> Iterator[T]:
        """Yield ``parse(row)`` of every row of a table, or ``parse(line)`` of every line with text.

        Parameters
        ----------
        path
            A text file, UTF-8 or (single lines of it) Latin-1, plain or packed with gzip. None has
            no lines.
        parse
            Gets the cells of a row as a dictionary, or a line. Raises ``ValueError`` with the
            reason where it cannot be read.
        columns, kind
            Columns that the header of the table must name, and its kind as in
            ``tables.read_rows``. Without columns, the file is read line by line.
        expected
            What the lines should be, for the error message.

        Raises
        ------
        UserError
            If the file cannot be read, no line of it can, or too many cannot.
        """
        if path is None:
            return
        good = bad = 0
        first = ""
        expected = expected or f"a table with the columns {','.join(columns)}"

        def skip(place: int, lines: int, error: Exception) -> None:
            nonlocal bad, first
            bad += lines
            first = first or f"{place_in(path)} {place}: {reason(error)}"
            if good + bad >= SOON:
                check()

        def check() -> None:
            if bad > max(BAD_SHARE * (good + bad), FEW) or (bad and not good):
                raise UserError(
                    f"{first}; {bad} of the first {good + bad} lines cannot be read, so this file"
                    f" is not what was expected: {expected}"
                )

        rows: Iterator[tuple[int, Any]] = numbered_lines(path, lenient=True)
        if columns:
            rows = read_rows(path, columns, kind=kind, lenient=True, on_bad=skip)
        for _, parsed in parse_rows(rows, parse, skip):
            good += 1
            yield parsed
        check()
        if not good:
            raise UserError(f"{path}: no line with data in it; expected {expected}")
        self.skipped += bad
        self.first_skipped = self.first_skipped or first


class Format(NamedTuple):
    """How a public dataset is converted.

    Attributes
    ----------
    name, files
        The name of the dataset and the files it needs; both appear in messages.
    find
        Returns the files of this format in a folder or beside a file; None: not this format.
    interactions
        Yields the interactions in the order of the file.
    items
        Yields the items in the order of the file, as fields of ``items.jsonl``; empty ones are not
        written. An item may come twice. ``image_names`` may list its images, without their endings,
        where these are not named by its id.
    levels
        Values that ``Source.level`` can have.
    """

    name: str
    files: str
    find: Callable[[Path], Source | None]
    interactions: Callable[[Source], Iterator[Interaction]]
    items: Callable[[Source], Iterator[dict[str, Any]]]
    levels: tuple[str, ...] = ()


def interaction(
    row: Mapping[str, Any], user: str, item: str, time: str, rating: str = "", unit: float = 1
) -> Interaction:
    """Return the interaction in the named fields of a row; ``unit`` is a second in units of time.

    >>> interaction({"u": "ann", "i": 7, "t": 2500, "r": "4"}, "u", "i", "t", "r", unit=1000)
    Interaction(user_id='ann', item_id='7', timestamp=2.5, rating=4.0)
    """
    return Interaction(
        printable_id(row.get(user), user),
        printable_id(row.get(item), item),
        number(row.get(time), time) / unit,
        number(row.get(rating), rating) if rating else None,
    )


def only_file(found: list[Path], source: Path, what: str) -> Path | None:
    """Return the only file of a kind, or None; several are an error."""
    if len(found) > 1:
        names = ", ".join(sorted(path.name for path in found)[:5])
        raise UserError(f"{source}: {len(found)} {what} ({names}); give one of them as the source")
    return found[0] if found else None


def find_pair(source: Path, pairs: Mapping[str, str]) -> Source | None:
    """Return the first pair (interactions, items) in a folder, or that of one of its files."""
    folder = source if source.is_dir() else source.parent
    for name, other in pairs.items():
        path, items = folder / name, folder / other
        if path.is_file() and source in (folder, path):
            return Source(path, items if items.is_file() else None)
    return None
