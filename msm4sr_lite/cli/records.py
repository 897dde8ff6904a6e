"""The record each stage leaves: what it was made from, so that it is made once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from msm4sr_lite.cli.progress import say
from msm4sr_lite.config import write_json


def fingerprint(value: Any) -> str:
    """Return a short hash of what a stage is made from."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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


def stamp(path: Path) -> list[int] | None:
    """Return size and time of a file: enough to notice its replacement without reading it."""
    if not path.is_file():
        return None
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]
