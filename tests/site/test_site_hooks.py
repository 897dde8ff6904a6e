"""What docs/site_hooks.py adds to Sphinx."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from docutils.utils import new_document

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import site_hooks
from site_hooks import mathml, site_links

from msm4sr_lite.config import PretrainConfig


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


def app_of(folder: Path, *pages: str, current: str = "") -> Any:
    """Return what the hooks use of Sphinx, with pages such as ``guide.md`` in its source folder."""
    found = {name.rpartition(".")[0]: name for name in pages}

    def path_of(name: str, base: bool = True) -> str:
        return str(folder / found[name]) if base else found[name]

    env = SimpleNamespace(found_docs=set(found), doc2path=path_of, docname=current)
    return SimpleNamespace(srcdir=folder, outdir=folder, env=env)


def test_pages_from_elsewhere_are_copied_and_copies_of_removed_pages_go(tmp_path: Path) -> None:
    for name in ("course/12_gone.ipynb", "course/index.md", "project/gone.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    site_hooks.copy_pages(app_of(tmp_path))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {"course/index.md", *site_hooks.COPIED.values()}
    changelog = tmp_path / "project" / "changelog.md"
    assert changelog.read_bytes() == (site_hooks.ROOT / "CHANGELOG.md").read_bytes()


def test_the_pages_below_a_page_are_named_in_it(tmp_path: Path) -> None:
    app = app_of(tmp_path, "results.md", "log.md", "studies/b.md", "studies/index.md", "guide.md")
    source = ["[a](../README.md)"]
    site_hooks.read_source(app, "results", source)
    assert source[0].startswith("[a](../README.md)\n\n```{toctree}\n")
    assert source[0].endswith("\n\n/studies/index\n/studies/b\n/log\n```\n")
    source = ["[a](../CONTRIBUTING.md)"]
    site_hooks.read_source(app, "log", source)
    assert source == ["[a](project/contributing.md)"]


def test_code_that_names_another_page_becomes_a_link(tmp_path: Path) -> None:
    notebook = "course/04_sequence_mixup.ipynb"
    app = app_of(tmp_path, "guide.md", "log.md", notebook, "project/licenses.md", current="log")
    tree = new_document("log")
    for text in ("docs/guide.md", "04_sequence_mixup", "LICENSES.md", "docs/log.md", "fit"):
        tree += nodes.paragraph("", "", nodes.literal(text, text))
    site_hooks.link_page_names(app, tree)
    links = [p[0].get("reftarget") for p in tree if not isinstance(p[0], nodes.literal)]
    assert links == ["/guide", "/course/04_sequence_mixup", "/project/licenses"]


def test_what_sphinx_writes_is_repaired() -> None:
    back = '<a class="viewcode-back" href="x">[docs]</a>'
    body = f'<span class="sig-paren">(</span>\n<dl><dd>a</dd></dl>{back}<p>b</p>'
    context: dict[str, Any] = {"body": body, "meta": None}
    site_hooks.repair_page(SimpleNamespace(), "api/losses", "page.html", context, None)
    lines = '<div class="sig-lines"><div>a</div></div>'
    assert context["body"] == f'<span class="sig-paren">(</span>{lines}<p>b</p>'
    assert context["meta"] is None
    site_hooks.repair_page(SimpleNamespace(), "studies/toy", "page.html", context, None)
    assert context["body"].startswith('<div class="study">')
    assert context["meta"]


def test_settings_are_a_table_and_their_signature_is_short() -> None:
    lines = ["Settings of pre-training."]
    site_hooks.add_settings(SimpleNamespace(), "class", "Pretrain", PretrainConfig, {}, lines)
    assert "   * - ``epochs``" in lines
    shown = [
        site_hooks.hide_settings(SimpleNamespace(), "class", kind.__name__, kind, {}, "(x=1)", "")
        for kind in (PretrainConfig, Path)
    ]
    assert shown == [("()", ""), None]
    site_hooks.add_settings(SimpleNamespace(), "class", "Path", Path, {}, others := ["A path."])
    assert others == ["A path."]


def test_pages_of_an_earlier_build_are_removed(tmp_path: Path) -> None:
    kept = ["guide", "search", "_static/webpack-macros", "_modules/index"]
    kept += ["_modules/msm4sr_lite/mixup", "_modules/msm4sr_lite/dataset"]
    for name in (*kept, "gone", "studies/gone", "_modules/msm4sr_lite/gone"):
        (tmp_path / f"{name}.html").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.html").touch()
    site_hooks.remove_old_pages(app_of(tmp_path, "guide.md"), None)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert found == {f"{name}.html" for name in kept}
