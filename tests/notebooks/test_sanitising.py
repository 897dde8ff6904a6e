"""nbval's sanitising hides what may differ between two runs, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SANITIZE = Path(__file__).parent / "nbval_sanitize.cfg"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<a at 0x7f12ab34cd56>", "<a at 0x10ab34cd56>"),
        ("in /tmp/ipykernel_12/345.py:1", "in C:\\T\\ipykernel_9/8.py:1"),
        ("took 3.2 s", "took 17 seconds"),
        ("120 ms per step", "1.5 s per step"),
        ("  3%|▎  | 3/100 [00:01]", "100%|███| 100/100 [00:09]"),
        ('src="data:image/png;base64,AAAA+/="', 'src="data:image/png;base64,BB"'),
        ("id 0123456789abcdef0123456789abcdef", "id fedcba9876543210fedcba9876543210"),
    ],
)
def test_sanitising_hides_what_may_differ(one: str, other: str) -> None:
    from nbval.plugin import get_sanitize_patterns

    patterns = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
    for pattern, replacement in patterns:
        one, other = re.sub(pattern, replacement, one), re.sub(pattern, replacement, other)
    assert one == other


def test_sanitising_keeps_what_must_agree() -> None:
    from nbval.plugin import get_sanitize_patterns

    text = "NDCG@10 0.142, loss 2.3, 400 items, 12 sentences, 50% of users, recall 3 seats"
    for pattern, replacement in get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")):
        assert re.sub(pattern, replacement, text) == text
