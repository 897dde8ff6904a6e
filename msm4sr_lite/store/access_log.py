"""The test-set access log: when, and with which model, the test part of a dataset was opened."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msm4sr_lite.store.files import write_json


def log_access(folder: Path, access: dict[str, Any]) -> None:
    """Add one access to ``folder/access_log.json``; the same access again is not repeated."""
    known = read_access_log(folder)
    if all({k: v for k, v in one.items() if k != "when"} != access for one in known):
        when = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / "access_log.json", [*known, {"when": when, **access}])


def read_access_log(folder: Path) -> list[dict[str, Any]]:
    """Return all accesses to the test part that are on record in a folder."""
    path = folder / "access_log.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
