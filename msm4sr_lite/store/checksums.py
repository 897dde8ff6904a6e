"""SHA-256 checksums of the files in a folder, in the format of the program ``sha256sum``."""

import hashlib
import re
from pathlib import Path, PurePosixPath

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
    try:
        require_file(path)
        found = [_LINE.fullmatch(line) for line in path.read_text(encoding="utf-8").splitlines()]
        digests = {line[2]: line[1] for line in found if line}
        if len(digests) != len(found):
            raise ValueError("a line is not a checksum and a file name")
        for name in (*needed, *digests):
            if name not in digests or ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise ValueError(f"it does not list {name}")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be used ({reason_of(error)}); {remedy}") from None
    for name, digest in digests.items():
        try:
            require_file(folder / name)
            if _digest(folder / name) != digest:
                raise UserError(
                    f"{folder / name}: has changed since it was written (SHA-256); restore the"
                    f" file, or {remedy}"
                )
        except OSError as error:
            raise UserError(f"{folder / name}: {error.strerror}; {remedy}") from None


def require_folder(path: Path, what: str) -> None:
    """Raise a ``UserError`` if ``path`` is missing, is no folder, or is no name of one."""
    try:
        if path.is_dir():
            return
        wrong = "no such folder"
    except (OSError, ValueError) as error:
        wrong = reason_of(error)
    raise UserError(f"{path}: {wrong}; give the folder of {what}")


def require_file(path: Path) -> None:
    """Raise ``OSError`` if ``path`` is missing or is no file: reading a pipe would never end."""
    if not path.is_file():
        raise FileNotFoundError(0, "no such file" if not path.exists() else "not a file", str(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
