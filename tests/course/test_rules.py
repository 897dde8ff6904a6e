"""What a stored notebook must keep to."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
import pytest
from course import rules
from course.masters import PAPER
from course.session import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def html_cell(markup: str) -> nbformat.NotebookNode:
    output = new_output("display_data", data={"text/html": markup, "text/plain": "x"})
    return new_code_cell("1", execution_count=1, outputs=[output])


def text_cell(**fields: str) -> nbformat.NotebookNode:
    return new_code_cell("1", execution_count=1, outputs=[new_output("stream", **fields)])


def tagged_cell(source: str, tag: str = "nbval-ignore-output") -> nbformat.NotebookNode:
    return new_code_cell(source, metadata={"tags": [tag]})


BREACHES: list[tuple[Callable[..., list[str]], nbformat.NotebookNode, str]] = [
    (rules.headings, new_markdown_cell("# A second title"), "level 1 below"),
    (rules.headings, new_markdown_cell("## Fine\n\n#### Too deep"), "level 4 below one of level 2"),
    (rules.reasons, tagged_cell("1"), "must start with '# Not compared: <reason>'"),
    (rules.reasons, tagged_cell("# Not compared: it"), "must start with"),
    (rules.reasons, tagged_cell("1", "nbval-skip"), "must start with"),
    (rules.reasons, new_code_cell("# Not compared: it varies"), "is compared, since"),
    (rules.code_style, new_code_cell("x = '" + "a" * 90 + "'"), "96 columns, more than 88"),
    (rules.code_style, new_code_cell("plt.plot(x);"), "ends in ';'"),
    (rules.code_style, new_code_cell("interact(f, x=1)"), "interact and Output break"),
    (rules.portable, new_code_cell("open('/home/ann/shop.csv')"), ".../home/a..."),
    (rules.portable, text_cell(text=r"read C:\Users"), r"C:\U"),
    (rules.portable, text_cell(text=f"{ROOT}/data_samples"), "differs between machines"),
    (rules.portable, text_cell(text="<object at 0x7f00aa11>"), "at 0x7f00aa11"),
    (rules.no_trouble, new_code_cell("1"), "was not run"),
    (rules.no_trouble, text_cell(name="stderr", text="Deprecated"), "stderr: Deprecated"),
    (
        rules.no_trouble,
        new_code_cell("1", execution_count=1, outputs=[new_output("error", ename="E", evalue="v")]),
        "raised E: v",
    ),
    (
        rules.no_widgets,
        new_code_cell(
            "1",
            outputs=[new_output("display_data", data={rules._WIDGET_VIEW: {}})],
        ),
        "a widget view is stored",
    ),
    (rules.images, html_cell('<img src="data:image/png;base64,AA">'), "without alternative text"),
    (
        rules.images,
        html_cell(f'<img alt="x" src="data:image/png;base64,{"A" * 88_000}">'),
        "an image of 66 kB",
    ),
    (rules.images, html_cell('<img alt="x" src="//a.example/x.png">'), "from the network"),
    (rules.images, html_cell("<svg><g></g></svg>"), "an SVG without <title>"),
    (
        rules.images,
        new_code_cell("1", outputs=[new_output("display_data", data={"image/png": "AA"})]),
        "a bare image",
    ),
    (rules.images, new_markdown_cell("![ ](x.png)"), "without alternative text"),
]


@pytest.mark.parametrize(("rule", "cell", "message"), BREACHES)
def test_each_breach_is_found(
    rule: Callable[..., list[str]], cell: nbformat.NotebookNode, message: str
) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    (problem,) = rule(notebook)
    assert problem.startswith("cell 2 (")
    assert message in problem


def test_good_content_breaks_no_rule() -> None:
    good = [
        new_markdown_cell(
            f"# Title\n\n[MSM4SR]({PAPER})\n\n```\n# not a heading\n```\n\n## Part"
            "\n\n### Detail\n\n## Next"
        ),
        html_cell(
            "<svg aria-hidden='true'><path/></svg>"
            "<svg><title>Map</title><g></g></svg><img alt='x' src='data:image/png;base64,A+/tmp/A'>"
        ),
        text_cell(text="work/network and https://a.example/home/x are no paths: 3 / 4"),
        new_code_cell("1 / 0", metadata={"tags": ["skip-execution"]}),
        new_code_cell(
            "# Not compared: it describes this machine.\n1",
            execution_count=1,
            metadata={"tags": ["nbval-ignore-output"]},
        ),
    ]
    assert rules.find_problems(new_notebook(cells=good)) == []


def test_a_notebook_starts_with_its_title() -> None:
    assert "starts with its title" in rules.headings(new_notebook(cells=[new_code_cell("1")]))[0]


def test_progress_bars_are_dropped_and_warnings_kept() -> None:
    bar = " 50%|█████     | 1/2 [00:01<00:01]\r100%|██████████| 2/2 [00:02<00:00]\n"
    cells = [text_cell(name="stderr", text=text) for text in (bar, f"{bar}Deprecated\n")]
    notebook = new_notebook(cells=cells)
    rules.clean_outputs(notebook)
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1]


def test_a_notebook_names_the_paper() -> None:
    for text in ("# Title", f"# Title\n\n{PAPER}"):
        (problem,) = rules.paper(new_notebook(cells=[new_markdown_cell(text)]))
        assert problem.startswith("cell 1: a link to the paper is missing")


def test_cells_that_are_not_compared_are_counted() -> None:
    one = new_notebook(cells=[tagged_cell("1"), new_code_cell("1"), new_markdown_cell("x")])
    other = new_notebook(cells=[tagged_cell("1", "nbval-skip"), tagged_cell("1", "exercise")])
    assert rules.count_not_compared([one, other]) == (2, 4)
