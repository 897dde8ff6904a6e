"""What Sphinx does not bring: pages from elsewhere, links, MathML, and tables of settings.

Equations become MathML when the site is built, so no script draws them and screen readers speak
them. Pages name each other as a git host needs it; here these names lead to pages of the site.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import is_dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from docutils import nodes
from explainer.build import write_page
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from msm4sr_lite.settings import Settings, describe

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[1]
# Pages that lie outside docs/, and their places in the site. Git ignores the copies.
COPIED = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "LICENSES.md": "project/licenses.md",
} | {
    f"notebooks/{path.name}": f"course/{path.name}"
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
}
# Which pages stand below which. The pages themselves name no children: a git host would show the
# directive as code.
CHILDREN = {
    "index": [
        "Guide <guide>",
        "Course <course/index>",
        "API <api/index>",
        "Method <paper_map>",
        "Results <results>",
        "Project <project/contributing>",
    ],
    "guide": ["convert", "features", "train_clip", "performance"],
    "course/index": ["course/[0-9]*", "teaching"],
    "api/index": [
        *("api/estimator", "api/dataset", "api/features", "api/encoder", "api/mixup"),
        *("api/losses", "api/training", "api/evaluation", "api/baselines", "api/recommend"),
        "api/settings",
    ],
    "paper_map": ["differences", "glossary"],
    "results": ["why", "benchmarks", "since_the_paper", "studies/index", "studies/*", "log"],
    "project/contributing": ["*release", "mutations", "project/changelog", "project/licenses"],
}
_ORIGIN = {place: name for name, place in COPIED.items()}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")

# What latex2mathml knows under another name only.
_SAME_AS = {
    "{aligned}": "{split}",
    "{equation}": "{split}",
    "{equation*}": "{split}",
    r"\Big\lVert": r"\left\lVert",
    r"\Big\rVert": r"\right\rVert",
}
# What latex2mathml does not know it passes on as a letter.
_NOT_UNDERSTOOD = re.compile(r">\\[a-zA-Z]+<|&(?!#)")

_SIGNATURE = re.compile(r'(?<=<span class="sig-paren">[(\[]</span>)\s*<dl>(.*?)</dl>', re.S)


def copy_pages(app: Sphinx) -> None:
    """Copy the pages that lie outside the source folder into it; remove copies of removed pages."""
    source = Path(app.srcdir)
    for copy in (*source.glob("course/*.ipynb"), *source.glob("project/*")):
        if copy.relative_to(source).as_posix() not in _ORIGIN:
            copy.unlink()
    for name, place in COPIED.items():
        content, copy = (ROOT / name).read_bytes(), Path(app.srcdir, place)
        if not copy.is_file() or copy.read_bytes() != content:  # else it is not read again
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(content)


def site_links(text: str, page: str) -> str:
    """Let a page's relative links lead to where their targets are in the site.

    Parameters
    ----------
    text
        Markdown, or a notebook with Markdown inside.
    page
        The page's place in the site's sources.

    Examples
    --------
    >>> site_links("[a](docs/results.md#b) [c](LICENSE) [d](#e)", "project/contributing.md")
    '[a](../results.md#b) [c](../../LICENSE) [d](#e)'
    """
    origin = _ORIGIN.get(page, f"docs/{page}")

    def place(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[1]))
        inside = posixpath.join("docs", COPIED[target]) if target in COPIED else target
        return posixpath.relpath(inside, posixpath.dirname(f"docs/{page}"))

    return _LINK.sub(place, text)


def read_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Correct the links of a page, and name the pages that stand below it."""
    page = os.path.relpath(app.env.doc2path(docname), app.srcdir).replace(os.sep, "/")
    source[0] = site_links(source[0], page)
    names = [name for pattern in CHILDREN.get(docname, ()) for name in _found(pattern, app)]
    if names:
        listed = "\n".join(dict.fromkeys(names))
        source[0] += "\n\n```{toctree}\n:hidden:\n\n" + listed + "\n```\n"


def _found(pattern: str, app: Sphinx) -> list[str]:
    """Return the pages that a pattern matches, from the root of the site."""
    if pattern.endswith(">"):
        return [pattern.replace("<", "</")]
    return [f"/{name}" for name in sorted(app.env.found_docs) if fnmatch(name, pattern)]


def link_page_names(app: Sphinx, doctree: nodes.document) -> None:
    """Link code that names a page: ``docs/glossary.md``, or a notebook, ``04_sequence_mixup``."""
    places = {}
    for name in app.env.found_docs:
        place = str(app.env.doc2path(name, base=False)).replace(os.sep, "/")
        places[_ORIGIN.get(place, f"docs/{place}")] = name
        if place.endswith(".ipynb"):
            places[posixpath.basename(name)] = name
    for literal in list(doctree.findall(nodes.literal)):
        target = places.get(literal.astext())
        if target in (None, app.env.docname) or isinstance(literal.parent, nodes.reference):
            continue
        link = addnodes.pending_xref(
            "", refdomain="std", reftype="doc", reftarget=f"/{target}", refexplicit=True
        )
        link["refdoc"] = app.env.docname
        literal.replace_self(link)
        link += literal


def mathml(tex: str, display: str) -> str:
    r"""Convert an equation to MathML.

    Parameters
    ----------
    tex
        The equation without its dollar signs.
    display
        "inline" or "block".

    Raises
    ------
    ValueError
        If it cannot be converted.

    Examples
    --------
    >>> "<msub><mi>x</mi><mi>i</mi></msub>" in mathml("x_i", "inline")
    True
    """
    known = tex.strip()
    for name, same in _SAME_AS.items():
        known = known.replace(name, same)
    try:
        converted = convert(known, display=display)
    except Exception as error:  # a dozen unrelated classes
        raise ValueError(f"the equation cannot be converted to MathML: {tex}") from error
    if _NOT_UNDERSTOOD.search(converted):
        raise ValueError(f"the equation cannot be converted to MathML: {tex}")
    return converted


def _visit_math(self: Any, node: nodes.math | nodes.math_block) -> None:
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    try:
        self.body.append(mathml(node.astext(), display))
    except ValueError as problem:
        logger.warning(str(problem), location=node)
    raise nodes.SkipNode


def repair_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Correct what Sphinx writes, and give the tables of studies room.

    The lines of a signature become ``div``: a ``dl`` must list terms. Source code does not link
    back to the reference: the links of names that two modules offer would lead nowhere.
    """

    def lines(signature: re.Match[str]) -> str:
        text = re.sub(r"(</?)dd>", r"\1div>", signature[1])
        return f'<div class="sig-lines">{text}</div>'

    if "body" in context:
        body = _SIGNATURE.sub(lines, context["body"])
        context["body"] = re.sub(r'<a class="viewcode-back".*?</a>', "", body)
    if page.startswith("studies/"):
        context["body"] = f'<div class="study">{context["body"]}</div>'
        hidden = {"html_theme.sidebar_secondary.remove": True}  # the list of headings
        context["meta"] = {**(context.get("meta") or {}), **hidden}


def remove_old_pages(app: Sphinx, error: Exception | None) -> None:
    """Remove what an earlier build wrote for pages and modules that are gone."""
    site = Path(app.outdir)
    for path in site.rglob("*.html"):
        page = path.relative_to(site).with_suffix("")
        if page.parts[0] == "_modules":
            kept = page.name == "index" or (ROOT / page.relative_to("_modules")).exists()
            kept = kept or (ROOT / page.relative_to("_modules")).with_suffix(".py").exists()
        else:
            kept = page.as_posix() in {*app.env.found_docs, "search"}
            kept = kept or page.parts[0] in {"_static", "explainer"}
        if not kept:
            path.unlink()


def add_explainer(app: Sphinx, error: Exception | None) -> None:
    """Build the live page, ``explainer/index.html``."""
    write_page(Path(app.outdir) / "explainer" / "index.html")


def add_settings(
    app: Sphinx, what: str, name: str, kind: Any, options: Any, lines: list[str]
) -> None:
    """Append a table of its settings to the docstring of a class of settings."""
    if not _is_settings(kind):
        return
    lines += ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in [("setting", "default", "meaning", "source"), *_rows(kind)]:
        lines += [f"   {'* -' if n == 0 else '  -'} {cell}" for n, cell in enumerate(row)]
    lines.append("")


def hide_settings(
    app: Sphinx, what: str, name: str, kind: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Leave the signature of a class of settings empty: the table says more."""
    return ("()", "") if _is_settings(kind) else None


def _is_settings(kind: Any) -> bool:
    """Return whether this is a class of settings; a class that only has sections is none."""
    is_class = isinstance(kind, type) and is_dataclass(kind) and issubclass(kind, Settings)
    return is_class and bool(_rows(kind))


def _rows(kind: type) -> list[tuple[str, ...]]:
    return [
        (f"``{field.name}``", f"``{field.default!r}``", field.meaning, field.source)
        for field in describe(kind)
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all this with Sphinx."""
    app.connect("builder-inited", copy_pages)
    app.connect("source-read", read_source)
    app.connect("doctree-read", link_page_names)
    app.connect("autodoc-process-docstring", add_settings)
    app.connect("autodoc-process-signature", hide_settings)
    app.connect("html-page-context", repair_page)
    app.connect("build-finished", remove_old_pages)
    app.connect("build-finished", add_explainer)
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
