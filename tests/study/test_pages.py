"""Results as tables."""

import pytest

from msm4sr_lite.study.pages import as_text
from tests.tiny_study import tiny_result


@pytest.fixture
def result(tmp_path):
    return tiny_result(tmp_path / "study")


def test_a_difference_that_is_not_significant_is_marked(result):
    table = result["main"]
    best = table["against"]
    for name, change in table["change"].items():
        own = change["filter_seen"]["ndcg@10"]
        for p, marked in ((0.2, True), (0.01, False)):
            own["p_holm"] = p
            (line,) = [x for x in as_text("main", table).splitlines() if x.startswith(name + " ")]
            assert ("≈" in line) == marked
            assert f" {p:.3f} " in line
    first = as_text("main", table).splitlines()[3]  # below the heading and the columns
    assert first.split()[0] == max(
        table["models"], key=lambda n: table["models"][n]["filter_seen"]["ndcg@10"]["value"]
    )
    assert best in as_text("main", table)
