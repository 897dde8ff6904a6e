"""What a notebook's cells call: set-up, figures, pictures, panels, sources, machine."""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from course import (
    MARKERS,
    PALETTE,
    choice,
    entry,
    escape,
    machine_report,
    panel,
    pictures,
    setup,
    show,
    slider,
    source,
    toggle,
)
from course.display import isolate
from course.figures import BYTE_LIMIT
from course.notebooks import ROOT
from course.panels import REST_SECONDS, LivePanel
from course.session import find_samples
from course.sources import code_of
from course.style import use_style
from matplotlib.figure import Figure
from PIL import Image

from msm4sr_lite.config import UserError
from msm4sr_lite.store import files

mpl.use("agg")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def run_python(code: str, **variables: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


# --- set-up ---------------------------------------------------------------------------------


def test_importing_the_course_is_light() -> None:
    heavy = ("numpy", "torch", "transformers", "umap", "matplotlib", "ipywidgets", "PIL")
    code = f"import sys, course; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_setup_uses_one_thread(tmp_path: Path) -> None:
    (tmp_path / "data_samples").mkdir()
    code = (
        "import os; os.environ.pop('OMP_NUM_THREADS', None)\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "from course import setup; s = setup('07', seed=3)\n"
        "import torch; print(torch.get_num_threads(), torch.initial_seed(), s.samples.name)"
    )
    assert run_python(code).splitlines() == [
        "Notebook 07 is ready: sample data found, random seed 3.",
        "1 3 data_samples",
    ]


def test_setup_leaves_the_users_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    (tmp_path / "data_samples").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")  # so that they are taken back afterwards
    monkeypatch.setenv("TQDM_DISABLE", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    monkeypatch.setenv("MSM4SR_DEVICE", "mps")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with mpl.rc_context():
        session = setup("07")
    assert gc.get_freeze_count() > 0  # the libraries' objects are no longer searched for garbage
    gc.unfreeze()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert (session.notebook, session.device, session.seed) == ("07", "mps", 0)


def test_samples_are_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data_samples").mkdir()
    (tmp_path / "build" / "student").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "build" / "student")
    assert find_samples() == tmp_path / "data_samples"


def test_missing_samples_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere = tmp_path / "a" / "b" / "c" / "session.py"
    monkeypatch.setattr("course.session.__file__", str(nowhere))
    with pytest.raises(UserError, match="start Jupyter inside the repository"):
        find_samples()


def lightness(colour: str) -> float:
    """CIE L*, 0 (black) to 100 (white): what is left of a colour in a grey print."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_palette_survives_grey_print_and_a_projector() -> None:
    first_four = [lightness(colour) for colour in PALETTE[:4]]
    assert min(abs(a - b) for a, b in itertools.combinations(first_four, 2)) > 10
    assert len(set(PALETTE)) == len(set(MARKERS)) == 8
    with mpl.rc_context():
        use_style()
        names = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize")
        names += ("ytick.labelsize", "legend.fontsize")
        assert min(mpl.rcParams[name] for name in names) >= 11


# --- text, figures, pictures ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("""a "b" 'c' & d""", "a &quot;b&quot; &#x27;c&#x27; &amp; d"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\u05db\u05d3 12", "\u2068\u05db\u05d3 12\u2069"),
        ("👩\u200d🚀 🇳🇴", "👩\u200d🚀 🇳🇴"),
        ("null\x00esc\x1b\ud800", "null\ufffdesc\ufffd\ufffd"),
        (3.5, "3.5"),
    ],
)
def test_foreign_text_is_harmless(text: object, safe: str) -> None:
    assert escape(text) == safe


def test_isolate_keeps_lines() -> None:
    assert isolate("one\n\ttwo") == "one\n\ttwo"


def test_a_figure_carries_its_text(shown: list[dict[str, str]]) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    show(figure, alt='Sales rise from 1 to 3 "units"', caption="<sales>")
    (bundle,) = shown
    assert bundle.keys() == {"text/html", "text/plain"}
    assert 'alt="Sales rise from 1 to 3 &quot;units&quot;"' in bundle["text/html"]
    assert "<figcaption>&lt;sales&gt;</figcaption>" in bundle["text/html"]
    assert bundle["text/plain"] == '[figure] Sales rise from 1 to 3 "units"\n<sales>'
    assert not plt.get_fignums()


def test_a_figure_without_text_is_refused() -> None:
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="needs alternative text"):
        show(figure, alt=" ")
    assert not plt.get_fignums()


def noise(side: int, inches: float) -> Any:
    figure = plt.figure(figsize=(inches, inches))
    figure.figimage(np.random.default_rng(0).random((side, side, 3)))
    return figure


def test_a_heavy_figure_is_made_lighter(shown: list[dict[str, str]]) -> None:
    show(noise(300, 3), alt="Noise.")
    image = re.search(r"base64,([^\"]+)", shown[0]["text/html"])
    assert image is not None
    assert len(image[1]) * 3 / 4 <= BYTE_LIMIT


def test_a_figure_that_is_too_heavy_is_refused() -> None:
    with pytest.raises(ValueError, match="must fit into 60000 bytes; this one takes"):
        show(noise(600, 6), alt="Noise.")


def test_pictures_have_titles_and_words(shown: list[dict[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "tent.png"
    Image.new("RGBA", (300, 150), (200, 30, 30, 128)).save(path)
    pictures(
        [path, Image.new("L", (10, 10)), None],
        ["a <tent>", "mug", "gone"],
        [["red"], [], []],
        size=50,
        columns=2,
        caption="Three items",
    )
    markup = shown[0]["text/html"]
    assert re.findall(r'alt="([^"]*)"', markup) == ["a &lt;tent&gt;: red", "mug"]
    assert markup.count("<tr") == 2
    assert "no picture" in markup
    assert shown[0]["text/plain"] == "[pictures] Three items\n- a <tent>: red\n- mug\n- gone"
    with pytest.raises(ValueError, match="2 pictures, 1 titles"):
        pictures([None, None], ["one"])


# --- panels ---------------------------------------------------------------------------------


def draw(number: float, shape: str = "round", marked: bool = False, word: str = "x") -> Any:
    if number == 3:
        raise ValueError("<three>")
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, number])
    return figure, f"{number:g} {shape} {marked} {word}"


CONTROLS = (
    slider("number", [1, 2, 3, 4], start=2, label="how many"),
    choice("shape", ["round", "square"]),
    toggle("marked"),
    entry("word", start="<i>"),
)


def alt(live: LivePanel) -> str:
    found = re.search(r'alt="([^"]*)"', live.view.value)
    return found[1] if found else live.view.value


def test_a_static_panel_is_pictures_and_a_sentence(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    panel(draw, *CONTROLS, title="Bench", static=[{"number": 1}, {"number": 4, "marked": True}])
    still, sentence = shown
    assert re.findall(r'alt="([^"]*)"', still["text/html"]) == [
        "1 round False &lt;i&gt;",
        "4 round True &lt;i&gt;",
    ]
    assert still["text/plain"].splitlines()[2] == (
        "[figure] how many = 4, marked = True: 4 round True <i>"
    )
    assert sentence["text/plain"] == (
        "[interactive panel] Bench: how many from 1 to 4; shape: round or square; marked on or off;"
        " word (free text)"
    )
    assert sentence.keys() == {"text/html", "text/plain"}


def test_a_live_panel_shows_the_same_and_a_widget(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for static in "10":
        monkeypatch.setenv("MSM4SR_STATIC", static)
        panel(draw, *CONTROLS, title="Bench", static=[{}])
    extra = shown[3].pop("application/vnd.jupyter.widget-view+json")
    assert extra
    assert shown[:2] == shown[2:]


def test_every_control_redraws() -> None:
    live = LivePanel(draw, CONTROLS)
    holders = live._holders
    assert alt(live) == "2 round False &lt;i&gt;"
    holders["number"].value = 4
    holders["shape"].value = "square"
    holders["marked"].value = True
    holders["word"].value = "mug"
    assert alt(live) == "4 square True mug"
    live.close()


def test_a_dragged_slider_draws_once() -> None:
    drawn: list[float] = []

    def record(number: float) -> tuple[str, str]:
        drawn.append(number)
        return f"<p>{number}</p>", str(number)

    async def drag() -> None:
        live = LivePanel(record, [slider("number", [1, 2, 3, 4])])
        for number in (2, 3, 4):
            live._holders["number"].value = number
        await asyncio.sleep(4 * REST_SECONDS)
        assert live.view.value == "<p>4</p>"
        live.close()

    asyncio.run(drag())
    assert drawn == [1, 4]


def test_an_error_in_draw_is_shown_and_passes() -> None:
    live = LivePanel(draw, CONTROLS)
    live._holders["number"].value = 3
    assert "cannot be drawn. ValueError: &lt;three&gt;" in live.view.value
    live._holders["number"].value = 4
    assert alt(live).startswith("4")
    live.close()


@pytest.mark.parametrize("values", [[1, 2, 4], list(range(0, 40, 2)), [0.5 * i for i in range(20)]])
def test_a_slider_has_a_named_twin(values: list[float]) -> None:
    live = LivePanel(draw, [slider("number", values, start=values[1], label="how many")])
    twin, slide = live.box.children[0].children
    assert twin.description == "how many"
    slide.value = values[2]
    assert twin.value == values[2]
    twin.value = values[0]
    assert slide.value == values[0]
    live.close()


def test_a_number_between_two_values_snaps() -> None:
    live = LivePanel(draw, [slider("number", list(range(0, 40, 10)) + list(range(40, 60)))])
    twin, slide = live.box.children[0].children
    twin.value = 17
    assert (slide.value, twin.value) == (20, 20)
    live.close()


def test_a_live_panel_asks_nothing_of_the_widget_that_ipywidgets_7_lacks(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipywidgets

    monkeypatch.setenv("MSM4SR_STATIC", "0")
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_")
    panel(draw, *CONTROLS, title="Seven", static=[])
    assert "application/vnd.jupyter.widget-view+json" in shown[-1]


def test_running_a_panel_again_leaves_no_widgets_behind(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipywidgets.widgets.widget import _instances

    monkeypatch.setenv("MSM4SR_STATIC", "0")
    counts = []
    for _ in range(3):
        panel(draw, *CONTROLS, title="Again", static=[])
        counts.append(len(_instances))
    assert counts[0] == counts[1] == counts[2]


def test_wrong_settings_are_refused(shown: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"must start at one of its values \[1, 2\]; got 5"):
        slider("number", [1, 2], start=5)
    with pytest.raises(ValueError, match=r"static may set .*; got \['colour'\]"):
        panel(draw, *CONTROLS, title="Bench", static=[{"colour": 1}])


# --- source and machine ---------------------------------------------------------------------


def test_source_is_the_librarys(shown: list[dict[str, str]]) -> None:
    source(files.write_json)
    text = shown[0]["text/plain"]
    body = inspect.getsource(files.write_json)
    assert text.startswith("From msm4sr_lite.store.files.write_json\ndef write_json(")
    assert text.splitlines()[-1] in body
    assert '"""' not in text
    assert '"""' in code_of(files.write_json, docstring=True)
    assert "<span" in shown[0]["text/html"]


def test_part_of_a_source() -> None:
    part = code_of(files.write_bytes, ("try:", "draft.replace"))
    assert part.startswith("try:\n    with draft")
    assert part.endswith("draft.replace(path)")
    with pytest.raises(ValueError, match=r"files.write_bytes must contain 'no such line'"):
        code_of(files.write_bytes, ("try:", "no such line"))


@pytest.mark.parametrize("static", ["0", "1"])
def test_machine_facts_are_not_stored(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, static: str
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", static)
    machine_report()
    version = sys.version.split()[0]
    assert (version in shown[0]["text/plain"]) == (static == "0")
    assert "time factor" in shown[0]["text/html"]


def test_a_progress_bar_shows_where_somebody_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from course import progress

    monkeypatch.setenv("MSM4SR_STATIC", "1")
    assert list(progress([1, 2], "cups")) == [1, 2]
    assert "cups" not in capsys.readouterr().err
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(progress([1, 2], "cups")) == [1, 2]
    assert "cups" in capsys.readouterr().err


@pytest.mark.parametrize("static", ["1", "0"])
def test_what_runs_long_is_redrawn_and_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], static: str
) -> None:
    import IPython.display
    from course import watch

    monkeypatch.setenv("MSM4SR_STATIC", static)
    shown: list[str] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            shown.append(bundle["text/plain"])

    def display(bundle: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert "<figure" in bundle["text/html"]
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)

    def steps() -> Iterator[int]:
        yield from range(1, 6)
        raise KeyboardInterrupt

    def draw(seen: list[int]) -> tuple[Figure, str]:
        return plt.figure(figsize=(1, 1)), f"{len(seen)} so far"

    assert watch(steps(), draw, every=2) == [1, 2, 3, 4, 5]
    drawn = [5] if static == "1" else [2, 4, 5]
    assert shown == [f"[figure] {count} so far" for count in drawn]
    assert "stopped by you after 5 steps" in capsys.readouterr().out
