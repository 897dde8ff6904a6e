"""Figures carry alternative text and stay small."""

from __future__ import annotations

import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from course import show
from course.figures import BYTE_LIMIT


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


@pytest.mark.parametrize(
    ("given", "drawn", "is_formula"),
    [
        ("costs $5 or $6", "costs $5 or $6", False),
        ("$a_{b$ {", "$a_{b$ {", False),
        ("unmixed $h_t$", "unmixed $h_t$", True),
        (r"$\tau$ = 0.1", r"$\tau$ = 0.1", True),
        (r"$\mathdefault{10^{2}}$", r"$\mathdefault{10^{2}}$", True),
        ("日本語 😀\u202e\x1b[31m", "日本語 😀\ufffd[31m", True),
        ("x" * 10_000, "x" * 119 + "…", True),
        ("שלום", "שלום", True),
    ],
)
@pytest.mark.filterwarnings("error")
def test_labels_from_data_are_drawn_as_they_are(
    given: str, drawn: str, is_formula: bool, shown: list[dict[str, str]]
) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2], label=given)
    axes.set(xlabel=given, title=given, xticks=[0, 1], xticklabels=[given[:200], "b"])
    axes.legend()
    show(figure, alt="A line.")
    labels = (axes.xaxis.label, axes.title, axes.get_legend().get_texts()[0])
    assert {label.get_text() for label in labels} == {drawn}
    assert {label.get_parse_math() for label in labels} == {is_formula}


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
