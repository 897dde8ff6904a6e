"""The record each stage leaves: what it was made from, so that it is made once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a finished stage; empty if there is none."""
    for name in ("record.json", "manifest.json"):
        if (folder / name).is_file():
            found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return found
    return {}


def sign(folder: Path, made_from: Any, record: dict[str, Any]) -> None:
    """Write the record of a stage."""
    write_json(folder / "record.json", {"made_from": fingerprint(made_from), **record})


def finished(folder: Path, made_from: Any) -> bool:
    """Return whether the stage in ``folder`` was made from exactly this; tell the user."""
    found = read_record(folder).get("made_from")
    if found == fingerprint(made_from):
        say(f"{folder.name}: done already")
        return True
    if found:
        say(f"{folder.name}: the input or a setting has changed; made again")
    return False


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Remove what a killed run had begun of ``folder``; turn a full disk into a line to read."""
    try:
        for left in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); mend that, or give another"
            f" --out, and run again: finished work is kept"
        ) from None
