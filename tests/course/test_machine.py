"""The facts of this machine are shown, but not stored."""

from __future__ import annotations

import sys

import pytest
from course import machine_report
from course.machine import peak_memory


@pytest.mark.parametrize("static", ["0", "1"])
def test_machine_facts_are_not_stored(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, static: str
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", static)
    machine_report()
    version = sys.version.split()[0]
    assert (version in shown[0]["text/plain"]) == (static == "0")
    assert "time factor" in shown[0]["text/html"]


def test_peak_memory_is_that_of_this_process() -> None:
    assert 0.02 < peak_memory() < 64
