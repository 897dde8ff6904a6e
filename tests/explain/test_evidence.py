"""Which inputs are reasons, and how they are worded."""

import pytest

from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.explain.evidence import (
    Evidence,
    describe_evidence,
    describe_input,
    strongest_evidence,
)


@pytest.fixture
def pieces():
    effects = {
        "interaction": [0.3, 0.004, -0.2],
        "sentence": [0.1, 0.2],
        "image": [-0.1, 0.4, 0.05],
        "keyword": [-0.3],
    }
    return [
        Evidence(kind, f"i{k}", k, k, f"{kind} {k}", effect, {})
        for kind, own in effects.items()
        for k, effect in enumerate(own)
    ]


def test_only_inputs_that_speak_for_the_item_are_reasons(pieces):
    found = [(p.kind, p.effect) for p in strongest_evidence(pieces, 2)]
    assert found == [
        ("interaction", 0.3),
        ("sentence", 0.2),
        ("sentence", 0.1),
        ("image", 0.4),
        ("image", 0.05),
    ]
    assert [p.effect for p in strongest_evidence(pieces, 9, {"image"}, least=0.05)] == [0.4]
    assert [p.effect for p in strongest_evidence(pieces, 1, ["interaction"], 0)] == [0.3]


def test_the_title_of_the_item_is_named_and_foreign_text_stays_as_it_is():
    items = {"b7": Item("b7", title="<b>Clock</b>"), "b8": Item("b8")}
    for kind, item, position, text in (
        ("image", "b7", 3, "image 2 of '<b>Clock</b>' (x & y)"),
        ("image", "b7", 0, "the recommended item's image 2 (x & y)"),
        ("sentence", "b8", 3, "sentence 'x & y' of 'b8'"),
        ("keyword", "b8", 0, "keyword 'x & y' in the recommended item's image 2"),
        ("interaction", "b7", 3, "interaction 3 (x & y)"),
        ("part", "b7", 0, "part x & y"),
    ):
        piece = Evidence(kind, item, position, 2, "x & y", 0.5, {})
        assert describe_input(piece, items) == text
        assert describe_evidence(piece, items) == f"{text}: +0.50"
