"""The upper bounds of the data sheet: what each modality is worth on the sample."""

import pytest

from data_samples.make.knowledge import knowledge_scores
from data_samples.make.simulation import make_world


@pytest.fixture(scope="module")
def scores():
    return {(s.domain, s.knowledge.split(" (")[0]): s for s in knowledge_scores(make_world())}


@pytest.mark.parametrize("domain", ["home", "outdoor"])
def test_each_modality_adds_something(scores, domain):
    value = {knowledge: r for (d, knowledge), r in scores.items() if d == domain}
    expected = {knowledge: r.expected for knowledge, r in value.items()}
    both = expected["text and images"]
    assert both > 1.4 * expected["images alone"]
    assert both > 1.4 * expected["text alone"]
    assert min(expected["images alone"], expected["text alone"]) > 2 * expected["nothing"]
    assert expected["nothing"] < expected["popularity alone"] < both
    assert 0.85 * expected["everything"] < both < expected["everything"]
    assert value["text and images"].measured < value["everything"].measured
    assert value["text and images"].cold > 0.8 * both  # new items are as predictable as old ones
    for r in value.values():  # 1,200 users: the standard error is below 0.01
        assert r.measured == pytest.approx(r.expected, abs=0.03)
