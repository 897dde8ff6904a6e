"""Write files and folders completely or not at all: first as a draft, which is then renamed."""

import errno
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal

from safetensors import SafetensorError

from msm4sr_lite.config import UserError
from msm4sr_lite.printable import first_line, reason_of
from msm4sr_lite.store.checksums import write_checksums

# A draft, or the old content while it is replaced; the number is the process that wrote it.
_LEFT = re.compile(r"\.(.+)\.([0-9]+)\.(draft|old)")


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Yield the path of a draft beside ``path``, and turn ``OSError`` into ``UserError``.

    The message names the file that cannot be used, such as a source. It names ``path`` if the disk
    is full or the folder is protected. If an error names two files, as in copying, the disk may be
    full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        recover(path.parent, path.name, remove="dead")
        yield draft
    except SafetensorError as error:  # a full disk, for example
        raise cannot_write(path, OSError(0, first_line(error))) from None
    except OSError as error:
        named = Path(str(error.filename or draft))
        if not (error.filename2 or named.is_relative_to(draft) or path.is_relative_to(named)):
            raise UserError(f"{named}: {error.strerror}; check this file, then run again") from None
        raise cannot_write(path, error) from None
    finally:
        if draft.is_file():
            draft.unlink()
        rmtree(draft, ignore_errors=True)


def cannot_write(path: Path, error: OSError | ValueError) -> UserError:
    """Return the error for a file or folder that cannot be written."""
    in_the_way = "a file or a broken link is in the way; remove it or choose another folder"
    full = "free disk space or choose another folder"
    protected = "change its permissions or choose another folder"
    remedies = {errno.ENOSPC: full, errno.EDQUOT: full}
    remedies |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), protected)
    remedies |= dict.fromkeys((errno.EEXIST, errno.ENOTDIR), in_the_way)
    remedy = remedies.get(getattr(error, "errno", None) or 0, "check the path and the disk")
    return UserError(
        f"{path}: cannot be written ({reason_of(error)}); {remedy}, then run again; finished"
        f" work is kept"
    )


def check_output_file(path: Path, endings: Collection[str]) -> None:
    """Refuse a file that has another ending or cannot be one, before anything is computed."""
    if path.suffix.lower() not in endings:
        raise UserError(f"{path}: the file name must end in {', '.join(endings)}")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the name of a file")


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a draft beside it is written first and then replaces it."""
    with _draft(path) as draft:
        draft.write_bytes(data)
        _sync(draft)
        draft.replace(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk.

    Windows and some network drives cannot flush folders. Then a power failure can lose the newest
    names, but nothing is half-written.
    """
    if path.is_file():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    else:
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def json_line(record: Any) -> str:
    """Return a record as a line of a JSON lines file."""
    return json.dumps(record, ensure_ascii=False) + "\n"


@contextmanager
def whole_folder(path: Path, *, checksums: bool = False) -> Iterator[Path]:
    """Yield an empty folder to write into; on success it becomes ``path``, otherwise it is removed.

    The old content of ``path`` stays until the new folder is complete.

    Parameters
    ----------
    path
        The folder to write.
    checksums
        Whether to add ``SHA256SUMS``, by which a reader notices files that have changed. Dataset
        folders have none, since people edit them.
    """
    with _draft(path) as draft:
        draft.mkdir()
        yield draft
        if checksums:
            write_checksums(draft)
        for written in (*draft.rglob("*"), draft):
            _sync(written)
        old = draft.with_suffix(".old")
        try:
            if path.exists():
                path.rename(old)
            draft.rename(path)
            _sync(path.parent)
        finally:
            if old.exists() and not path.exists():
                old.rename(path)
            rmtree(old, ignore_errors=True)


def recover(
    folder: Path, name: str = "", *, remove: Literal["nothing", "dead", "all"] = "nothing"
) -> None:
    """Repair what killed processes left in a folder.

    Content that was about to be replaced gets its name back if the replacement is missing.

    Parameters
    ----------
    folder
        Where to look; a folder that is missing or cannot be changed stays as it is.
    name
        Only what was left of this file or folder; empty: of all.
    remove
        Which drafts and which old content to remove: nothing for those who only read; what belongs
        to processes that do not run any more (dead), for those who are about to write the same
        name; all for the one process that has locked the run folder.
    """
    with suppress(OSError, ValueError):
        for left in sorted(folder.iterdir()):
            found = _LEFT.fullmatch(left.name)
            if not found or name not in ("", found[1]):
                continue
            if found[3] == "old" and not (folder / found[1]).exists():
                left.rename(folder / found[1])
            elif remove == "all" or (remove == "dead" and not is_running(int(found[2]))):
                if left.is_dir() and not left.is_symlink():
                    rmtree(left, ignore_errors=True)
                else:
                    left.unlink()


def require_folder(path: Path, what: str) -> None:
    """Give a folder that was being replaced its name back; refuse ``path`` if it is no folder."""
    recover(path.parent, path.name)
    try:
        wrong = "" if path.is_dir() else "no such folder"
    except (OSError, ValueError) as error:
        wrong = reason_of(error)
    if wrong:
        raise UserError(f"{path}: {wrong}; give the folder of {what}")


def is_running(process: int) -> bool:
    """Return whether another process of this number runs on this machine."""
    if process == os.getpid():
        return False
    if os.name == "nt":  # there, ``os.kill`` would end it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)  # type: ignore[attr-defined]
        return bool(handle and ctypes.windll.kernel32.CloseHandle(handle))  # type: ignore[attr-defined]
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
