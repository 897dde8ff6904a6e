"""The performance page says where and when its figures were measured."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
DATE = re.compile(r"20\d\d-\d\d-\d\d")
TABLE = re.compile(r"(?:^\|.*\n)+", re.M)


def missing(text: str) -> list[str]:
    """Return the first line of each table whose caption lacks a command or a date."""
    found = []
    for table in TABLE.finditer(text):
        caption = text[table.end() :].strip().partition("\n\n")[0]
        complete = "`python -m benchmarks." in caption and DATE.search(caption)
        if not (caption.startswith("*") and complete):
            found.append(table[0].partition("\n")[0])
    return found


def test_every_table_of_results_names_its_command_and_day() -> None:
    results = PAGE.read_text(encoding="utf-8").partition("## Results on a CPU")[2]
    assert len(TABLE.findall(results)) == 6
    assert missing(results) == []


def test_a_table_without_command_or_day_is_found() -> None:
    table = "| a |\n|---|\n| 1 |\n\n"
    assert missing(table + "*`python -m benchmarks.gpu`, 2026-11-27.*\n") == []
    assert missing(table + "*`python -m benchmarks.gpu`, one H200.*\n") == ["| a |"]
    assert missing(table + "*One H200, 2026-11-27.*\n\nMore.\n") == ["| a |"]
