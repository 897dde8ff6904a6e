"""The map explorer: what it says is true, foreign text in it is harmless, and it is quick."""

from __future__ import annotations

import html
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from course import MapView, draw_map, explore_map
from course.map_drawing import choose_sign, draw_maps, draw_path
from course.maps import trustworthiness
from course.panels import open_panels
from PIL import Image

from msm4sr_lite.dataset.dataset import Item

mpl.use("agg")

HOSTILE = '<img src=x onerror="alert(1)"> "mug"'


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def line(count: int) -> np.ndarray:
    """Vectors on a line, each a little farther from the last: every neighbour is known."""
    return np.stack([np.arange(count) ** 1.1, np.zeros(count), np.zeros(count)], axis=1)


def make(folder: Path, count: int = 30, k: int = 3) -> MapView:
    """A view of two true maps and two in which item 0 stands at the wrong end."""
    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (20, 20), "teal").save(folder / "images" / "a.png")
    items = [Item(f"i{n}", title=f"Thing {n}", images=("images/a.png",)) for n in range(count)]
    items[1] = Item("i1", title=HOSTILE)
    items[2] = Item("i2", images=("images/a.png",))
    vectors = line(count)
    true, wrong = vectors[:, :2].copy(), vectors[:, :2].copy()
    wrong[0] = [vectors[-1, 0] + 50, 0]
    return MapView(
        {(5, 0): true, (5, 1): true * [-1, 1], (9, 0): wrong, (9, 1): wrong * 2},
        vectors,
        items,
        folder,
        {"i1": [["red", "<b>round"], ["other"]], "i5": []},
        {"side": ["left"] * 10 + ["right"] * (count - 10), "<mark>": ["<a>"] * count},
        k=k,
    )


def titles(markup: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r"<title>(.*?)</title>", markup)]


def test_every_point_shows_its_title_and_the_keywords_of_its_first_image(tmp_path: Path) -> None:
    markup, _ = make(tmp_path)(5, 0, "side", "i4 Thing 4")
    told = titles(markup)
    assert len(told) == 30
    assert f"{HOSTILE} (i1): red, <b>round" in told
    assert {"(no text) (i2)", "Thing 5 (i5)", "Thing 29 (i29)"} < set(told)


def test_foreign_text_is_harmless(tmp_path: Path) -> None:
    view = make(tmp_path)
    markup, text = view(5, 0, "<mark>", f"i1 {HOSTILE}")
    assert "<img src=x" not in markup
    assert "<b>round" not in markup
    assert "<a>" not in markup
    assert "<mark>" not in markup
    assert HOSTILE in text


def test_true_neighbours_and_their_ranks(tmp_path: Path) -> None:
    view = make(tmp_path)
    assert view.truth.indices[0].tolist() == [1, 2, 3]
    assert view.rank_neighbours((5, 0), 0) == [1, 2, 3]
    assert view.rank_neighbours((9, 0), 0) == [29, 28, 27]  # item 0 stands at the other end
    _, text = view(5, 0, "side", "i0 Thing 0")
    assert "3 are among the nearest 3 on the map; the farthest has rank 3 of 29" in text
    markup, text = view(9, 0, "side", "i0 Thing 0")
    assert "0 are among the nearest 3 on the map; the farthest has rank 29 of 29" in text
    assert "neighbour 2: rank 28" in markup
    assert f'aria-label="{html.escape(text)}"' in markup
    assert markup.count('r="7"') == 3


def test_another_item_on_the_same_spot_has_rank_one(tmp_path: Path) -> None:
    view = make(tmp_path)
    view.maps[5, 0][:] = 0
    assert sorted(view.rank_neighbours((5, 0), 7)) == sorted(
        n + (n < 7) for n in view.truth.indices[7]
    )


def test_the_numbers_are_those_of_the_map_shown(tmp_path: Path) -> None:
    view = make(tmp_path)
    for at, places in view.maps.items():
        assert view.trust[at] == trustworthiness(line(30), places, 3)
    assert view.trust[9, 0] < view.trust[5, 0] == 1
    assert "trustworthiness 1.00; on average 3.0 of 3" in view(5, 0, "side", "i4 Thing 4")[1]
    assert "trustworthiness 1.00" not in view(9, 0, "side", "i4 Thing 4")[1]


def test_marks_by_kept_neighbours(tmp_path: Path) -> None:
    view = make(tmp_path)
    assert set(view.groups("neighbours kept", (5, 0))) == {"more than 2"}
    doubtful = view.groups("neighbours kept", (9, 0))
    assert (doubtful[0], doubtful[20]) == ("0 to 1", "more than 2")
    markup, _ = view(9, 0, "neighbours kept", "i0 Thing 0")
    assert "</svg>0 to 1</span>" in markup


def test_the_place_of_a_point(tmp_path: Path) -> None:
    """The first axis runs to the right, the second upwards; nothing leaves the frame."""
    view = make(tmp_path)
    view.maps[5, 0][:3] = [[-9, -9], [60, -9], [-9, 60]]
    markup, _ = view(5, 0, "<mark>", "i4 Thing 4")
    points = [(int(x), int(y)) for x, y in re.findall(r'd="M(\d+) (\d+)m', markup)][:30]
    assert points[:3] == [(15, 545), (545, 545), (15, 15)]
    assert all(15 <= x <= 545 and 15 <= y <= 545 for x, y in points)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    vectors, items = line(30), [Item(str(n)) for n in range(30)]
    places = {(5, 0): vectors[:, :2]}
    for maps, marks in (({}, {}), (places, {"side": ["a"] * 29})):
        with pytest.raises(ValueError, match="at least one map was expected, and as many"):
            MapView(maps, vectors, items, tmp_path, {}, marks)
    with pytest.raises(ValueError, match="a mark has at most 12 groups; number has 30"):
        MapView(places, vectors, items, tmp_path, {}, {"number": [str(n) for n in range(30)]})


def test_groups_keep_colour_and_marker_from_map_to_map(tmp_path: Path) -> None:
    figure, axes = plt.subplots()
    places = line(13)[:, :2]
    draw_map(axes, places, list("mlkjihgfedcba"), key=True)
    drawn = axes.collections
    assert [part.get_label() for part in drawn] == list("abcdefghijklm")
    assert drawn[0].get_offsets().tolist() == [places[12].tolist()]
    looks = {
        (tuple(part.get_facecolor()[0]), part.get_paths()[0].vertices.tobytes()) for part in drawn
    }
    assert len(looks) == 13
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list("abcdefghijklm")
    plt.close(figure)


def test_twelve_groups_differ_in_colour_and_in_marker() -> None:
    signs = [choose_sign(number) for number in range(12)]
    assert len({colour for colour, _ in signs}) == len({marker for _, marker in signs}) == 12
    assert len({choose_sign(number) for number in range(144)}) == 144


def test_the_map_of_twelve_groups_draws_twelve_shapes(tmp_path: Path) -> None:
    view = make(tmp_path)
    view.marks["number"] = [f"{n % 12:02}" for n in range(30)]
    markup, _ = view(5, 0, "number", "i4 Thing 4")
    key = re.findall(r'<path d="M0 0([^"]+)" fill="([^"]+)"', markup)
    assert [len(set(part)) for part in zip(*key, strict=True)] == [12, 12]


@pytest.mark.parametrize("tapped", ["i7 Thing 7", f"i1 {HOSTILE}"])
def test_a_tapped_point_is_chosen(
    tapped: str, tmp_path: Path, shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    explore_map(make(tmp_path), {"item": "i4"}, title="tapped")
    assert len(shown) == 1  # the live panel alone
    live = open_panels["tapped"]
    assert f'data-tap="{html.escape(tapped)}"' in live.view.value
    live._drawn.tap(tapped, "")
    assert f"Of those of {html.escape(tapped)}, " in live.view.value
    assert live.view.chosen == tapped
    live._drawn.tap("i7 no such thing", "")
    assert live._holders["item"].value == tapped
    live.close()


def test_a_place_come_to_again_has_both_numbers() -> None:
    figure, axes = plt.subplots()
    axes.scatter([0, 10], [0, 10])
    draw_path(axes, np.array([[1.0, 1], [9, 1], [9, 9], [1.2, 1.1], [1, 1.8]]))
    placed = {text.get_text(): text.xy for text in axes.texts}
    assert placed == {"1, 4": (1, 1), "2": (9, 1), "3": (9, 9), "5": (1, 1.8)}
    assert len(axes.lines[0].get_xdata()) == 5
    plt.close(figure)


def test_small_multiples_state_every_trustworthiness(tmp_path: Path) -> None:
    view = make(tmp_path)
    del view.maps[9, 1]  # a grid may have holes
    figure, alt = draw_maps(view, "side")
    assert alt.startswith("3 maps of the same 30 items, marked by side.")
    assert f"{view.trust[9, 0]:.2f} with n_neighbors 9 and seed 0" in alt
    assert [axes.get_title() for axes in figure.axes][:3] == [
        "5 neighbours: 1.00",
        f"9 neighbours: {view.trust[9, 0]:.2f}",
        "5 neighbours: 1.00",
    ]
    plt.close(figure)


def test_still_figures_come_first(
    tmp_path: Path, shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    explore_map(make(tmp_path), {"n_neighbors": 9, "item": "i4"}, title="toy map")
    multiples, one, sentence = shown
    assert multiples["text/plain"].startswith("[figure] 4 maps")
    assert "n_neighbors 9, seed 0" in one["text/plain"]
    assert "Of those of i4 Thing 4" in one["text/plain"]
    assert sentence["text/plain"] == (
        "[interactive panel] toy map: n_neighbors from 5 to 9; seed from 0 to 1; marked by: side or"
        " <mark> or neighbours kept; item: one of 30"
    )
    assert "<mark>" not in sentence["text/html"]
