"""Read the lines of text files, plain or compressed with gzip."""

import gzip
import io
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.store.checksums import reading

LONGEST = 1 << 24  # bytes in a line: a file without line ends must not fill the memory
HEAD = 1 << 16
GZIP = b"\x1f\x8b"  # the first bytes of packed files


def read_lines(path: Path, *, lenient: bool = False) -> Generator[str, None, None]:
    """Yield the lines of a UTF-8 file with their ends.

    Parameters
    ----------
    path
        The file. Its content decides whether it is compressed with gzip, not its name: browsers
        unpack files without renaming them.
    lenient
        Read lines that are not UTF-8 as Latin-1. Otherwise they are an error.

    Raises
    ------
    UserError
        If it is no file or cannot be read to its end, a line is not UTF-8, or longer than 16 MiB.
    """
    with reading(path, "check the path, or copy the file again"), path.open("rb") as file:
        stream: Any = file
        if file.peek(2)[:2] == GZIP:
            stream = gzip.GzipFile(fileobj=file)
            if stream.peek(2)[:2] == GZIP:
                raise UserError(f"{path}: packed with gzip twice; unpack it once")
        yield from _decoded(stream, path, lenient)


def _decoded(stream: Any, path: Path, lenient: bool) -> Iterator[str]:
    head = stream.peek(HEAD)[:HEAD]
    if b"\r" in head and b"\n" not in head:  # lines end with carriage returns alone
        stream = io.BytesIO(stream.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    for number, line in enumerate(iter(partial(stream.readline, LONGEST), b""), start=1):
        if len(line) >= LONGEST:
            raise UserError(f"{path} line {number}: longer than 16 MiB; check the file")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            if not lenient:
                raise UserError(f"{path} line {number}: not UTF-8; save it as UTF-8") from None
            yield line.decode("latin-1")


def numbered_lines(path: Path, *, lenient: bool) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank."""
    with closing(read_lines(path, lenient=lenient)) as lines:
        yield from not_blank(lines)


def not_blank(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    return (row for row in enumerate(lines, start=1) if row[1].strip())


def json_object(line: str) -> dict[str, Any]:
    """Read one JSON object; anything else is a ``ValueError``."""
    try:
        record = json.loads(line, object_pairs_hook=_named_once)
    except ValueError as error:
        raise ValueError(f"not a JSON object: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    if isinstance(record, _Repeated):
        raise ValueError(f"the key {record.key!r} is there twice; keep one")
    return record


class _Repeated(dict[str, Any]):
    key = ""


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dictionary; one of another kind, with the key, if a key is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        found = _Repeated(found)
        found.key = next(key for key in keys if keys.count(key) > 1)
    return found
