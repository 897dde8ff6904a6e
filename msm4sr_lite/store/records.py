"""The record that each stage leaves: what it was made from, so that it is not made twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import read_json, write_json
from msm4sr_lite.store.fingerprint import fingerprint


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a finished stage; empty if there is none."""
    for name in ("record.json", "manifest.json"):
        if (folder / name).is_file():
            found: dict[str, Any] = read_json(folder / name)
            return found
    return {}


def write_record(folder: Path, made_from: Any, record: dict[str, Any]) -> None:
    """Write the record of a stage, with the fingerprint of what the stage was made from."""
    write_json(folder / "record.json", {"made_from": fingerprint(made_from), **record})


def is_finished(folder: Path, made_from: Any) -> bool:
    """Return whether the stage in ``folder`` was made from exactly this, and print that or why."""
    found = read_record(folder).get("made_from")
    if found == fingerprint(made_from):
        say(f"{folder.name}: done already")
        return True
    if found:
        say(f"{folder.name}: the input or a setting has changed; made again")
    return False


@contextmanager
def report_write_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a protected folder into a ``UserError`` while ``folder`` is written.

    Drafts of ``folder`` that a killed process left are removed first.
    """
    try:
        for draft in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(draft, ignore_errors=True)
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); make room or choose another"
            f" folder, then run again: finished work is kept"
        ) from None
