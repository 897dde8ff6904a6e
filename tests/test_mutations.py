"""The breakages of tests/mutations.py fit the source, and docs/mutations.md lists them."""

import re
from collections import Counter

import pytest

from tests.mutate import NOT_TRIED
from tests.mutations import BROKEN, MUTATIONS, ROOT


@pytest.mark.parametrize("module", BROKEN)
def test_every_breakage_still_fits(module):
    for mutation in MUTATIONS:
        if mutation.module == module:
            source = (ROOT / mutation.path).read_text(encoding="utf-8")
            broken = mutation.apply(source)
            assert broken != source
            compile(broken, mutation.path, "exec")


def test_there_are_many_with_different_names():
    assert len(MUTATIONS) >= 40
    names = Counter((mutation.module, mutation.name) for mutation in MUTATIONS)
    assert max(names.values()) == 1


def test_the_page_is_about_these_breakages_and_none_went_unnoticed():
    page = (ROOT / "docs" / "mutations.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert sorted((row[0], row[1]) for row in rows[1:]) == sorted(
        (m.module, m.name) for m in MUTATIONS
    )
    assert all(re.match(rf"`[a-z]+/test_|{NOT_TRIED}$", row[2]) for row in rows[1:])
