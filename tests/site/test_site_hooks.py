"""What docs/site_hooks.py adds to Sphinx."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import site_hooks
from site_hooks import mathml, site_links


def test_the_examples_of_its_docstrings() -> None:
    result = doctest.testmod(site_hooks)
    assert result.attempted >= 2
    assert result.failed == 0


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\frac{1}{\tau}", "<mfrac>"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"\begin{cases} 1 & i = j \\ 0 & \text{else} \end{cases}", "<mtable"),
        (r"a < b", "&#x0003C;"),
        (r"\mathcal{L}_{\mathrm{NIP}}", "<msub>"),
        (r"\Big\lVert x \Big\rVert", "&#x02016;"),
    ],
)
def test_equations_become_mathml(tex: str, part: str) -> None:
    assert part in mathml(tex, "block")
    assert mathml(tex, "block").startswith('<math xmlns="http://www.w3.org/1998/Math/MathML"')


@pytest.mark.parametrize("tex", [r"\left( a", r"\unheard{x}", "a & b", r"\frac"])
def test_an_equation_that_is_not_understood_is_named(tex: str) -> None:
    with pytest.raises(ValueError, match="cannot be converted") as error:
        mathml(tex, "inline")
    assert tex in str(error.value)


@pytest.mark.parametrize(
    ("page", "text", "there"),
    [
        ("guide.md", "[a](results.md#b)", "[a](results.md#b)"),
        (
            "guide.md",
            "[a](../notebooks/04_sequence_mixup.ipynb)",
            "[a](course/04_sequence_mixup.ipynb)",
        ),
        ("api/losses.md", "[a](../../CONTRIBUTING.md)", "[a](../project/contributing.md)"),
        ("course/04_sequence_mixup.ipynb", "[a](../docs/glossary.md)", "[a](../glossary.md)"),
        ("project/licenses.md", "![a](LICENSE)", "![a](../../LICENSE)"),
        ("guide.md", "[a](https://a.example/b.md) [c](#d)", "[a](https://a.example/b.md) [c](#d)"),
    ],
)
def test_links_lead_to_places_in_the_site(page: str, text: str, there: str) -> None:
    assert site_links(text, page) == there
