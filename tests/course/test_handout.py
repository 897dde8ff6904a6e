"""A notebook becomes a page that asks nothing of the network."""

import re

import pytest
from course.handout import make_page, mathml
from nbformat.v4 import new_markdown_cell, new_notebook

ADDRESS = re.compile(r"""(?:src|href)=["']?(?:https?:)?//|import\(["']http|@import""")


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\frac{1}{\tau}", "<mfrac>"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"\begin{cases} 1 & i = j \\ 0 & \text{else} \end{cases}", "<mtable"),
        (r"a < b", "&#x0003C;"),
        (r"\mathcal{L}_{\mathrm{NIP}}", "<msub>"),
    ],
)
def test_equations_become_mathml(tex: str, part: str) -> None:
    assert part in mathml(tex, "block")
    assert mathml(tex, "block").startswith('<math xmlns="http://www.w3.org/1998/Math/MathML"')


@pytest.mark.parametrize("tex", [r"\left( a", r"\unheard{x}", "a & b", r"\frac"])
def test_what_is_not_understood_stays_readable(tex: str) -> None:
    assert mathml(tex, "inline") == f"<code>{tex.replace('&', '&amp;')}</code>"


def test_a_page_asks_nobody_for_anything() -> None:
    text = (
        "# Mixup\n\nTake $p \\sim U(0, p_{\\max})$:\n\n$$\n\\tilde{x} = x + y\n$$\n\nand $5 more."
    )
    written = make_page(new_notebook(cells=[new_markdown_cell(text)]), "04_mixup")
    assert "<title>04_mixup</title>" in written
    assert written.count("<math ") == 2
    assert "$5 more" in written
    assert not ADDRESS.search(written)
