"""Progress bars and figures of what runs long."""

from __future__ import annotations

from collections.abc import Iterator

import IPython.display
import matplotlib.pyplot as plt
import pytest
from course import progress_bar, watch
from matplotlib.figure import Figure


def test_a_progress_bar_shows_where_somebody_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    assert list(progress_bar([1, 2], "cups")) == [1, 2]
    assert "cups" not in capsys.readouterr().err
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(progress_bar([1, 2], "cups")) == [1, 2]
    assert "cups" in capsys.readouterr().err


@pytest.mark.parametrize("static", ["1", "0"])
def test_what_runs_long_is_redrawn_and_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], static: str
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", static)
    shown: list[str] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            shown.append(bundle["text/plain"])

    def display(bundle: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert "<figure" in bundle["text/html"]
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)

    def steps() -> Iterator[int]:
        yield from range(1, 6)
        raise KeyboardInterrupt

    def draw(seen: list[int]) -> tuple[Figure, str]:
        return plt.figure(figsize=(1, 1)), f"{len(seen)} so far"

    assert watch(steps(), draw, every=2) == [1, 2, 3, 4, 5]
    drawn = [5] if static == "1" else [2, 4, 5]
    assert shown == [f"[figure] {count} so far" for count in drawn]
    assert "stopped by you after 5 steps" in capsys.readouterr().out
