"""A notebook as one HTML page that needs no network: no script, equations as MathML.

nbconvert's own page loads four scripts from servers, one of them to draw the equations. Here the
equations are converted beforehand, browsers draw MathML themselves, and screen readers speak it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from jinja2 import DictLoader, pass_context
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""

_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link".*?</a>)?</h2>', re.S)
_CONTENTS = """<style>
nav.course {{ font: 1rem/1.6 system-ui, sans-serif; padding: 1rem 2rem 0 }}
nav.course a {{ color: #0b57d0; text-decoration: underline }}
</style>
<nav class="course" aria-label="Course">
<p>{links}</p>
<details><summary>In this notebook</summary>
<ol>
{sections}
</ol>
</details>
</nav>
"""

# Environments that latex2mathml knows under another name only.
_SAME_AS = {"aligned": "split", "equation": "split", "equation*": "split"}
# What latex2mathml does not know it passes on as a letter.
_NOT_UNDERSTOOD = re.compile(r">\\[a-zA-Z]+<|&(?!#)")


def mathml(tex: str, display: str) -> str:
    r"""Convert an equation to MathML; what cannot be converted stays as it was written.

    Parameters
    ----------
    tex
        The equation without its dollar signs.
    display
        "inline" or "block".

    Examples
    --------
    >>> "<msub><mi>x</mi><mi>i</mi></msub>" in mathml("x_i", "inline")
    True
    >>> mathml(r"\unheard{x}", "block")
    '<code>\\unheard{x}</code>'
    """
    known = tex.strip()
    for name, same in _SAME_AS.items():
        known = known.replace(f"{{{name}}}", f"{{{same}}}")
    try:
        converted = convert(known, display=display)
    except Exception:  # a dozen unrelated classes, and a page without one equation is still a page
        converted = "&"
    if _NOT_UNDERSTOOD.search(converted):
        return f"<code>{html.escape(tex.strip())}</code>"
    return converted


class _Renderer(IPythonRenderer):
    """Markdown as JupyterLab reads it, with equations converted."""

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


class _Exporter(HTMLExporter):
    """JupyterLab's look without its scripts."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = _Renderer(escape=False, attachments=attachments, anchor_link_text=" ")
        return MarkdownWithMath(renderer=renderer).render(source)


def make_page(notebook: NotebookNode, title: str) -> str:
    """Return the page of an executed notebook.

    Parameters
    ----------
    notebook
        With outputs and without stored widgets.
    title
        Title of the browser's tab.
    """
    loader = DictLoader({"handout.html.j2": _TEMPLATE})
    exporter = _Exporter(extra_loaders=[loader], template_file="handout.html.j2")
    text, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return str(text)


def find_sections(written: str) -> list[tuple[str, str]]:
    """Return a page's headings of level 2: each one's place in the page, and its words as HTML."""
    return [(place, words.strip()) for place, words in _HEADING.findall(written)]


def add_contents(
    written: str, links: Sequence[tuple[str, str]], within: Sequence[tuple[str, str]]
) -> str:
    """Put links and a table of contents at the head of a page.

    Parameters
    ----------
    written
        The page.
    links
        Address and words of each link to another page.
    within
        The page's :func:`find_sections`.
    """
    there = " · ".join(f'<a href="{html.escape(to)}">{html.escape(says)}</a>' for to, says in links)
    own = "\n".join(f'<li><a href="#{at}">{words}</a></li>' for at, words in within)
    head, body, rest = written.partition("<body")
    start, end, rest = rest.partition(">")
    return head + body + start + end + _CONTENTS.format(links=there, sections=own) + rest
