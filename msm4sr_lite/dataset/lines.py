"""The lines of a text file, plain or packed with gzip."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from msm4sr_lite.config import UserError

LONGEST = 1 << 24  # bytes in a line: a file without line ends must not fill the memory
HEAD = 1 << 16


def read_lines(path: Path, *, lenient: bool = False) -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their ends.

    Parameters
    ----------
    path
        The file. Whether it is packed with gzip is seen from its content, not from its name:
        browsers unpack files without renaming them.
    lenient
        Read lines that are not UTF-8 as Latin-1. Otherwise they are an error.

    Raises
    ------
    UserError
        If the file cannot be read to its end, a line is not UTF-8, or longer than 16 MiB.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(file) if packed else file as stream:
                yield from _decoded(_with_line_feeds(cast(BinaryIO, stream)), path, lenient)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be read to its end ({error}); download or unpack it again"
        ) from None


def _decoded(stream: BinaryIO, path: Path, lenient: bool) -> Iterator[str]:
    readline, number = stream.readline, 0
    while line := readline(LONGEST):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) >= LONGEST:
            raise UserError(
                f"{path} line {number}: longer than {LONGEST >> 20} MiB; give the data file as it"
                f" was published"
            )
        try:
            yield line.decode()
        except UnicodeDecodeError:
            if not lenient:
                raise UserError(
                    f"{path} line {number}: not UTF-8; save the file as UTF-8"
                ) from None
            yield line.decode("latin-1")


def _with_line_feeds(stream: BinaryIO) -> BinaryIO:
    """Return the stream; a file whose lines end with carriage returns alone is rewritten."""
    head = stream.peek(HEAD)[:HEAD]  # type: ignore[attr-defined]
    if b"\r" in head and b"\n" not in head:
        return io.BytesIO(stream.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return stream
