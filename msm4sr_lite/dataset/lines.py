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
                yield from _decoded(cast(BinaryIO, stream), path, lenient)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be read to its end ({error}); download or unpack it again"
        ) from None


def _decoded(stream: BinaryIO, path: Path, lenient: bool) -> Iterator[str]:
    head = stream.peek(HEAD)[:HEAD]  # type: ignore[attr-defined]
    if b"\r" in head and b"\n" not in head:  # lines end with carriage returns alone
        stream = io.BytesIO(stream.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST), b""), start=1):
        if len(line) >= LONGEST:
            raise UserError(
                f"{path} line {number}: longer than {LONGEST >> 20} MiB; give the data file as it"
                f" was published"
            )
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            if not lenient:
                place = f"{path} line {number}"
                raise UserError(f"{place}: not UTF-8; save the file as UTF-8") from None
            yield line.decode("latin-1")
