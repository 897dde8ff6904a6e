"""What tests of the course share: what a cell would show."""

from __future__ import annotations

import matplotlib as mpl
import pytest

mpl.use("agg")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles
