"""The unattended course: every notebook is run, shown as a page, and counted."""

import re
from pathlib import Path

import nbformat
import pytest
from course import run_all
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ADDRESS = re.compile(r"""(?:src|href)=["']?(?:https?:)?//|import\(["']http|@import""")


@pytest.mark.thorough  # starts kernels
def test_all_are_run_and_a_failure_is_reported_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources, out = tmp_path / "notebooks", tmp_path / "build" / "course"
    sources.mkdir()
    for name, code in (("00_bad", "1 / 0"), ("01_good", "print(6 * 7)")):
        first = new_markdown_cell(f"# {name[:2]} · A & b\n\n**Question: why\n{name}?**")
        cells = [first, new_markdown_cell("## Part <i>one</i>\n\n## Two"), new_code_cell(code)]
        notebook = new_notebook(cells=cells, metadata={"msm4sr": {"minutes": 7}})
        nbformat.write(notebook, sources / f"{name}.ipynb")
    assert run_all.main([str(sources), str(out)]) == 1
    shown = capsys.readouterr()
    assert re.search(
        r"\[1/2\] 00_bad +\d+\.\d s  FAILED\n\[2/2\] 01_good +\d+\.\d s  ok", shown.out
    )
    assert re.search(r"00_bad failed: .*1 / 0.*division by zero", shown.err, re.S)
    assert "1 of 2 notebooks failed." in shown.err
    executed = nbformat.read(out / "01_good.ipynb", as_version=4)
    assert executed.cells[2].outputs[0].text == "42\n"
    assert "42" in (out / "01_good.html").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in (out / "00_bad.html").read_text(encoding="utf-8")
    index = (out / "index.html").read_text(encoding="utf-8")
    assert '<a href="01_good.html">01 · A &amp; b</a>' in index
    assert "Question: why 01_good?" in index
    assert "7 minutes of reading, " in index
    assert index.count('<li><a href="01_good.html#') == 2
    good = (out / "01_good.html").read_text(encoding="utf-8")
    assert '<a href="index.html">All notebooks</a> · <a href="00_bad.html">← 00_bad</a></p>' in good
    assert '<a href="01_good.html">01_good →</a></p>' in (out / "00_bad.html").read_text("utf-8")
    for place in re.findall(r'<a href="01_good.html#([^"]+)"', index):
        assert f'<h2 id="{place}">' in good
        assert f'<li><a href="#{place}">' in good
    assert not ADDRESS.search(good + index)
    assert "ZeroDivisionError: division by zero" in index
    (sources / "00_bad.ipynb").unlink()
    assert run_all.main([str(sources), str(out)]) == 0


def test_an_empty_folder_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all.main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert f"notebooks were expected in {tmp_path}; none is there" in capsys.readouterr().err
