"""Define formats and read their files; bad rows are skipped and counted, too many are an error."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.lines import numbered_lines
from msm4sr_lite.dataset.rows import number, printable_id
from msm4sr_lite.dataset.tables import parse_rows, place_in, read_rows, reason
from msm4sr_lite.printable import counted

T = TypeVar("T")

BAD_SHARE = 0.01  # largest share of bad lines in a file
FEW = 3  # number of bad lines that is accepted in any file
SOON = 10_000  # lines after which too many bad ones stop the reading at once


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
        What an item is, for formats that offer a choice (``levels``); empty: their default.
    skipped, first_skipped
        Number of lines that could not be read so far, and the reason for the first of them.
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
            A text file, plain or compressed with gzip. It is UTF-8; single lines may be Latin-1.
            None: nothing is yielded.
        parse
            Function of the cells of a row as a dictionary, or of a line. It raises ``ValueError``
            with the reason if it cannot read them.
        columns, kind
            Columns that the header of the table must name, and its kind as in
            ``tables.read_rows``. Without columns, the file is read line by line.
        expected
            Description of a correct line, for the error message.

        Raises
        ------
        UserError
            If the file cannot be read, or too many of its lines or all of them are bad.
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
                    f"{first}; {bad} of the first {counted(good + bad, 'line')} cannot be read, so"
                    f" this file is not what was expected: {expected}"
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
    """Functions that convert a public dataset.

    Attributes
    ----------
    name, files
        The name of the dataset and the files it needs; both appear in messages.
    find
        Returns the files of this format in a folder or beside a file; None: not this format.
    interactions
        Yields the interactions in the order of the file.
    items
        Yields the items in the order of the file, as fields of ``items.jsonl``. Empty fields are
        not written. An item may occur twice. If images are not named by item ids, ``image_names``
        lists the names of the item's images without endings.
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
    """Read an interaction from the named fields of a row; ``unit`` is the time units in a second.

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
    """Return the only file of a kind, or None; refuse several."""
    if len(found) > 1:
        names = ", ".join(sorted(path.name for path in found)[:5])
        raise UserError(f"{source}: {len(found)} {what} ({names}); give one of them as the source")
    return found[0] if found else None


def find_pair(source: Path, pairs: Mapping[str, str]) -> Source | None:
    """Return the first pair (interactions, items) in a folder, or the pair of a given file."""
    folder = source if source.is_dir() else source.parent
    for name, other in pairs.items():
        path, items = folder / name, folder / other
        if path.is_file() and source in (folder, path):
            return Source(path, items if items.is_file() else None)
    return None
