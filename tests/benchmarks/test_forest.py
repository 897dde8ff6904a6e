"""The forest plot."""

from benchmarks.studies.forest import forest


def test_a_forest_plot_shows_each_difference_and_which_are_significant():
    def found(value, low, high, p):
        return {"filter_seen": {"ndcg@10": {"value": value, "low": low, "high": high, "p_holm": p}}}

    change = {"same": found(0.01, -0.01, 0.03, 0.4), "better": found(0.05, 0.02, 0.08, 0.01)}
    change["worse"] = found(-0.04, -0.06, -0.02, 0.001)
    figure, words = forest({"against": "whole", "change": change})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse", "same", "better"]
    (intervals,) = axes.collections
    ends = [line[:, 0].tolist() for line in intervals.get_segments()]
    assert ends == [[-0.06, -0.02], [-0.01, 0.03], [0.02, 0.08]]
    hollow, full = (line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o")
    assert (hollow, full) == ([-0.04, 0.01, 0.05], [-0.04, 0.05])
    assert "3 variants: 1 significantly worse, 1 significantly better" in axes.get_title("left")
    assert "Significantly worse: worse. Significantly better: better." in words
    assert "difference in NDCG@10 to whole" in axes.get_xlabel()
