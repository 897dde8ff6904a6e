"""The figures of the results page."""

import math

from benchmarks.results_drawing import Drawing, Panel, Point, draw, fingerprint_in, save
from benchmarks.results_figures import drawings
from benchmarks.study_pages import Study


def figure(value, spread=0.01, p=1.0):
    return {"value": value, "low": value - spread, "high": value + spread, "p_holm": p}


def protocol(*numbers):
    return {"filter_seen": {"ndcg@10": figure(*numbers)}}


def comparison(models, change=None, bound=None):
    return {
        "dataset": "toys",
        "seeds": [1, 2],
        "models": {name: protocol(value) for name, value in models.items()},
        "change": {name: protocol(*numbers) for name, numbers in (change or {}).items()},
        "upper_bound": {"content": bound} if bound else {},
    }


def variants(seeds, **change):
    found = {name.replace("_", " "): numbers for name, numbers in change.items()}
    return {**comparison({}, found), "seeds": list(range(seeds))}


def found(*studies):
    return {drawing.name: drawing for drawing in drawings(list(studies))}


def test_simulated_data_show_levels_and_real_data_differences():
    models = {"msm4sr": 0.2, "item_knn": 0.1, "mine": 0.3}
    change = {"item_knn": (-0.1, 0.01, 0.01), "mine": (0.1,)}
    real = Study("real", {"title": "Real"}, {"main": comparison(models, change)})
    assert set(found(real)) == {"real_data"}
    (panel,) = found(real)["real_data"].panels
    assert (panel.title, panel.line) == ("Real", 0)
    assert [(p.name, p.value, p.full) for p in panel.points] == [
        ("ItemKNN", -0.1, True),
        ("mine", 0.1, False),
    ]
    assert "Real: significantly better: none; worse: ItemKNN." in found(real)["real_data"].alt
    drawn = Study("drawn", {}, {"main": comparison(models, change, bound=0.4)})
    both = found(real, drawn)
    assert [panel.title for panel in both["real_data"].panels] == ["Real"]
    (panel,) = both["sample"].panels
    assert (panel.title, panel.line, panel.source) == ("drawn", 0.4, "drawn/main.json")
    assert [p.name for p in panel.points] == ["M²SE, preset paper", "ItemKNN", "mine"]
    assert "(content bound 0.400): best are mine 0.300" in both["sample"].alt


def test_equal_variants_of_a_dataset_are_shown_once_with_most_seeds():
    few = variants(3, no_mixup=(-0.1,), no_pre=(0.2,), no_CMCL=(0.1,))
    many = variants(5, no_mixup=(-0.3, 0.01, 0.001), **{"tau = 1": (0.1,), "tau = 2": (0.2,)})
    studies = [
        Study(name, {"label": "Toys"}, {"ablations": part})
        for name, part in (("few", few), ("many", many))
    ]
    for order in (studies, studies[::-1]):
        (panel,) = found(*order)["ablations"].panels
        assert {p.name: (p.value, p.full) for p in panel.points} == {
            "no mixup": (-0.3, True),
            "no pre": (0.2, False),
            "no CMCL": (0.1, False),
        }
        assert panel.title == "Toys"
        assert found(*order)["ablations"].sources == ["few/ablations.json", "many/ablations.json"]
        (panel,) = found(*order)["settings"].panels
        assert [p.name for p in panel.points] == ["tau = 1", "tau = 2"]


def test_a_study_of_few_variants_is_shown_beside_that_of_all_variants():
    every = variants(3, a=(0.1,), b=(0.2,), c=(0.3,))
    small = variants(5, c=(0.3, 0.01, 0.01))
    studies = [
        Study(name, {"label": "Toys"}, {"ablations": part})
        for name, part in (("every", every), ("small", small))
    ]
    drawing = found(*studies)["ablations"]
    (panel,) = drawing.panels
    small = "from a study of one or two variants"
    kinds = ["difference", "difference", "difference", small]
    assert [p.kind for p in panel.points] == kinds
    assert [p.full for p in panel.points] == [False, False, False, True]
    assert f"better: c ({small}); worse: none" in drawing.alt
    image = draw(drawing)
    *_, one, other = image.axes[0].lines[2::2]
    assert [line.get_ydata()[0] for line in (one, other)] == [1.85, 2.15]
    (legend,) = image.legends
    assert [label.get_text() for label in legend.get_texts()][2:] == [small]


def test_the_gain_of_pre_training_is_the_loss_without_it():
    part = variants(3, **{"no pre-training": (-0.2, 0.05, 0.01)})
    more = comparison({}, {"msm4sr+whole": (0.1,)})
    (same, other) = found(Study("a", {}, {"ablations": part, "main": more}))["pretraining"].panels
    (one,) = same.points
    assert (one.value, one.low, one.high, one.full) == (0.2, 0.15000000000000002, 0.25, True)
    assert [(p.name, p.value) for p in other.points] == [("toys", 0.1)]


def test_new_items_and_transfer_have_figures():
    own = {"cold_among_cold": {"ndcg@10": figure(0.3)}, "cold_among_all": {"ndcg@10": figure(0.1)}}
    names = ("msm4sr", "upper bound: content", "upper bound: oracle")
    cold = {"dataset": "toys", "random_ndcg@10": 0.05, "models": dict.fromkeys(names, own)}
    start = {"users": 12, "ratio": 2.94, "pretrained": {"ndcg@10": figure(0.3)}}
    start["scratch"] = {"ndcg@10": figure(0.1)}
    curve = {"dataset": "toys", "shares": {"0.1": start}}
    made = found(Study("a", {}, {"cold": cold, "transfer": curve}))
    (panel,) = made["cold"].panels
    assert [p.name for p in panel.points[::2]] == [
        "content bound",
        "M²SE, preset paper",
    ]
    assert [p.value for p in panel.points] == [0.3, 0.1] * 2
    assert panel.line == 0.05
    (panel,) = made["transfer"].panels
    assert [(p.name, p.at, p.value) for p in panel.points] == [
        ("pre-trained first", 12, 0.3),
        ("from scratch", 12, 0.1),
    ]
    assert "with 12 users 2.9 times" in made["transfer"].alt


def test_rows_are_drawn_with_their_intervals_and_hollow_where_not_significant():
    points = (Point("a", 1, 0, 2, full=False), Point("b", -3, -4, -2))
    drawing = Drawing("x", (Panel("One", points, 0.0), Panel("Two", points[:1], 0.0)), "gain", "")
    image = draw(drawing)
    left, right = image.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b"]
    _, *drawn = left.lines
    assert [line.get_xdata().tolist() for line in drawn[::2]] == [[0, 2], [-4, -2]]
    assert [line.get_markerfacecolor() for line in drawn[1::2]] == ["white", "#0072B2"]
    assert len(right.lines) == 3
    (legend,) = image.legends
    assert legend.get_title().get_text() == "gain (panels have different scales)"


def test_curves_are_drawn_over_the_number_of_users():
    points = tuple(
        Point(kind, y, y - 0.1, y + 0.1, kind, at=x)
        for kind, y in (("pre-trained first", 0.5), ("from scratch", 0.3))
        for x in (10, 100)
    )
    (axes,) = draw(Drawing("x", (Panel("Curve", points),), "users", "")).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.5, 0.5], [0.3, 0.3]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "100"]
    assert math.isnan(Panel("Curve", points).line)


def test_a_figure_holds_the_fingerprint_of_its_data(tmp_path):
    path = tmp_path / "x.png"
    assert fingerprint_in(path) == ""
    one = Drawing("x", (Panel("One", (Point("a", 1, 0, 2),), 0.0),), "gain", "words")
    other = Drawing("x", (Panel("One", (Point("a", 1.1, 0, 2),), 0.0),), "gain", "words")
    for drawing in (one, other):
        save(drawing, path)
        assert fingerprint_in(path) == drawing.fingerprint()
    assert other.fingerprint() != one.fingerprint()
