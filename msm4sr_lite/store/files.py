"""Write files and folders completely or not at all: first as a draft, which is then renamed."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from msm4sr_lite.config import UserError


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
        yield draft
    except OSError as error:
        named = Path(str(error.filename or draft))
        if not (error.filename2 or named.is_relative_to(draft) or path.is_relative_to(named)):
            raise UserError(f"{named}: {error.strerror}; check this file, then run again") from None
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); free disk space or choose"
            f" another folder, then run again; finished work is kept"
        ) from None
    finally:
        if draft.is_file():
            draft.unlink()
        rmtree(draft, ignore_errors=True)


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
    """Flush a file, or the names in a folder, to the disk. Windows cannot flush folders."""
    if os.name != "nt" or path.is_file():
        handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    UserError
        If the file cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it or restore a copy") from None


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to write into; on success it becomes ``path``, otherwise it is removed.

    The old content of ``path`` stays until the new folder is complete. Drafts that killed processes
    left are removed first. Other processes' drafts are kept while they run, which only Linux shows
    in ``/proc``.
    """
    with _draft(path) as draft:
        drafts = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)\.(draft|old)")
        for found in filter(None, (drafts.fullmatch(left.name) for left in path.parent.iterdir())):
            if int(found[1]) == os.getpid() or not Path("/proc", found[1]).exists():
                rmtree(path.with_name(found[0]), ignore_errors=True)
        draft.mkdir()
        yield draft
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
