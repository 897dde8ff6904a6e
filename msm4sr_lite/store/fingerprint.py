"""Short hashes that tell whether two things are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msm4sr_lite


def fingerprint(value: Any) -> str:
    """Return a short hash of a value that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file: enough to notice its replacement without reading it."""
    if not path.is_file():
        return None
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def folder_stamp(name: str) -> dict[str, tuple[int, int] | None]:
    """Return the stamps of a model folder's files; nothing for the id of a model on the hub."""
    folder = Path(name)
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): stamp(path) for path in files}


def versions(*names: str) -> dict[str, str]:
    """Return the versions of this library and of others."""
    return {"msm4sr_lite": msm4sr_lite.__version__, **{n: metadata.version(n) for n in names}}


def first_difference(
    keys: Sequence[str], this: dict[str, Any], other: dict[str, Any]
) -> str | None:
    """Return the first of ``keys`` in which two descriptions differ; silence is no difference."""
    told = (key for key in keys if key in this and key in other)
    return next((key for key in told if this[key] != other[key]), None)
