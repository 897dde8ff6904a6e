"""What tests of the course share: what a cell would show, and a student's folder of their own."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from course import progress

mpl.use("agg")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


@pytest.fixture(autouse=True)
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of a student; no test writes to that of the repository."""
    folder = tmp_path / "student"
    monkeypatch.setenv("MSM4SR_WORK", str(folder))
    monkeypatch.setattr(progress, "_unsaved", {})
    monkeypatch.setattr(progress, "_said", set())
    return folder
