"""The package, the README and the docs use the field's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What is not said, and what is said instead.
NEVER = {
    "customers?": "user",
    "foretell|foretold": "predict",
    "told apart|told from": "distinguish; the difference is not statistically significant",
    "beyond chance": "statistically significant",
    "level with": "the difference is not statistically significant",
    "contenders?": "model, baseline",
    "item-to-item counts": "ItemKNN",
    "hand-made sum": "score ensemble",
    "departments?": "domain",
    "ceilings?": "oracle upper bound",
    "lottery|lotteries": "random generator",
}
# Spaces may be line ends, also inside comments; `_` and digits end a word.
PATTERN = re.compile(
    "|".join(rf"(?<![a-z])(?:{words})(?![a-z])".replace(" ", r"[\s#]+") for words in NEVER),
    re.I,
)
# Older words that may stand: a log of what was done, and names of fields that readers accept.
EXEMPT_PAGES = ("log.md",)
FIELDS = re.compile(r"\b(department|customer_id)\b")
READERS = ("msm4sr_lite/dataset/", "docs/convert.md")

README = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PACKAGE = sorted((ROOT / "msm4sr_lite").rglob("*.py"))
DOCS = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in EXEMPT_PAGES]
DOCS = [path for path in DOCS if path.parent.name != "project"]  # copies, made with the site


def never_words(text: str, name: str) -> list[str]:
    """Return place and word of everything in a text that is not said."""
    if name.startswith(READERS):
        text = FIELDS.sub("", text)
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]!r}"
        for found in PATTERN.finditer(text)
    ]


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(PACKAGE, id="package"),
        pytest.param(README, id="readme"),
        pytest.param(DOCS, id="docs"),
    ],
)
def test_the_words_are_those_of_the_field(paths: list[Path]) -> None:
    assert paths
    names = {path: path.relative_to(ROOT).as_posix() for path in paths}
    found = [
        place
        for path, name in names.items()
        for place in never_words(path.read_text("utf-8"), name)
    ]
    assert found == [], "\n".join(found)


def test_older_words_are_found_wherever_they_stand() -> None:
    text = (
        "a Customer, n_customers, customers' and\nit is told\n    # apart; beyond\nchance, ceiling2"
    )
    found = ["1: 'Customer'", "1: 'customers'", "1: 'customers'", "2: 'told\\n    # apart'"]
    found += ["3: 'beyond\\nchance'", "4: 'ceiling'"]
    assert never_words(text, "x.py") == [f"x.py:{place}" for place in found]
    assert never_words("customise, leveled with, bartender", "x.py") == []


def test_names_of_fields_may_stand_where_they_are_read() -> None:
    assert never_words('row.get("department")', "msm4sr_lite/dataset/rows.py") == []
    assert len(never_words('row.get("department")', "msm4sr_lite/cli/stages.py")) == 1
