"""The test-set access log: when the test part of a dataset was used, and with which model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msm4sr_lite.store.files import read_json, write_json


def log_access(folder: Path, access: dict[str, Any]) -> None:
    """Add one access to ``folder/access_log.json``; the same access again is not repeated."""
    known = read_access_log(folder)
    if all({k: v for k, v in one.items() if k != "when"} != access for one in known):
        when = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / "access_log.json", [*known, {"when": when, **access}])


def read_access_log(folder: Path) -> list[dict[str, Any]]:
    """Return all accesses to the test part that a folder's log lists."""
    path = folder / "access_log.json"
    return read_json(path) if path.is_file() else []
