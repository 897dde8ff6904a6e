"""SHA-256 checksums of the files in a folder, in the format of the program ``sha256sum``."""

import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError

from msm4sr_lite.config import UserError
from msm4sr_lite.printable import reason_of

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS`` with all files in a folder, except those in subfolders with their own.

    ``sha256sum --check SHA256SUMS``, run in the folder, checks them.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    others = [path.parent for path in files if path.name == NAME and path.parent != folder]
    listed = [path for path in files if path.name != NAME]
    listed = [path for path in listed if not any(path.is_relative_to(other) for other in others)]
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in listed]
    (folder / NAME).write_text("".join(lines), encoding="utf-8", newline="\n")


def verify_folder(folder: Path, needed: tuple[str, ...], remedy: str) -> None:
    """Check that a folder holds the files that were written into it, unchanged.

    Parameters
    ----------
    folder
        A folder with ``SHA256SUMS``. Files that are not listed are ignored.
    needed
        Names of files that must be listed.
    remedy
        What to do if the folder is damaged, for the message.

    Raises
    ------
    UserError
        If a file is missing or has changed since it was written.
    """
    path = folder / NAME
    with reading(path, remedy):
        found = [_LINE.fullmatch(line) for line in path.read_text(encoding="utf-8").splitlines()]
        digests = {line[2]: line[1] for line in found if line}
        if len(digests) != len(found):
            raise ValueError("a line is not a checksum and a file name")
        for name in (*needed, *digests):
            if name not in digests or ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise ValueError(f"it does not list {name}")
    for name, digest in digests.items():
        with reading(folder / name, remedy):
            if _digest(folder / name) != digest:
                raise UserError(
                    f"{folder / name}: has changed since it was written (SHA-256); restore the"
                    f" file, or {remedy}"
                )


@contextmanager
def reading(path: Path, remedy: str = "give the path of a file") -> Iterator[None]:
    """Refuse what is no file, such as a pipe, which never ends; errors of reading become one line.

    Raises
    ------
    UserError
        If ``path`` is not that of a file, or an error of reading comes from the block: what is
        wrong, and ``remedy``.
    """
    try:
        if not path.is_file():
            what = "not a file, but a folder, pipe or device" if path.exists() else "no such file"
            raise UserError(f"{path}: {what}; {remedy}")
        yield
    except UserError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({reason_of(error)}); {remedy}") from None


def require_file(path: Path) -> None:
    """Raise a ``UserError`` if ``path`` is not that of a file."""
    with reading(path):
        pass


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
