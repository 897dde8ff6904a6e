"""Write everything that shows results of studies from the JSON files in ``docs/results``.

    python -m benchmarks.studies.results_page [STUDY ...] [--redraw]

``docs/studies/`` gets a page of tables per study and an index, ``docs/figures/`` the figures. In
the pages of ``FILLED`` two things are filled in, and the text around them is written by hand:

- ``<!-- figure: NAME -->`` up to ``<!-- end -->``: a figure with its description and its sources.
- ``<!--= STUDY/PART/KEY/... as FORMAT -->`` up to ``<!--/-->``: a number from a JSON file. Keys
  that end at a model take its NDCG@10, items of the history filtered. ``results_numbers`` has the
  formats.

If study folders are given, their results are first copied to ``docs/results``, each under the name
of its folder. ``about.json`` there may say more about a study (``study_pages.Study``).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results_drawing import Drawing, fingerprint_in, save
from benchmarks.results_figures import drawings
from benchmarks.results_numbers import number
from benchmarks.study_pages import PARTS, Study, has, index, page, read_studies
from benchmarks.study_pages import read as read_file
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "python -m benchmarks.studies.results_page"
FILLED = ("README.md", *(f"docs/{name}.md" for name in ("results", "why", "benchmarks")))
FIGURE = re.compile(r"(<!-- figure: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"(<!--= (.+?)(?: as (\w+))? -->)(.*?)(<!--/-->)", re.DOTALL)


def fill(text: str, studies: list[Study], folder: str = "") -> str:
    """Return a page with its figures and numbers filled in.

    Parameters
    ----------
    text
        The page.
    studies
        All studies.
    folder
        Way from the page to ``docs/``.
    """
    by_name = {study.name: study for study in studies}
    figures = {drawing.name: drawing for drawing in drawings(studies)}

    def figure(found: re.Match[str]) -> str:
        if found[2] not in figures:
            raise UserError(f"no study in docs/results makes the figure {found[2]}")
        return f"{found[1]}\n{captioned(figures[found[2]], folder)}\n\n{found[4]}"

    def digits(found: re.Match[str]) -> str:
        return f"{found[1]}{number(found[2], found[3] or 'value', by_name)}{found[5]}"

    return NUMBER.sub(digits, FIGURE.sub(figure, text))


def captioned(drawing: Drawing, folder: str) -> str:
    """Return a figure in Markdown with its description, sources and command."""
    sources = ", ".join(f"[{name}]({folder}results/{name})" for name in drawing.sources)
    image = f"![{drawing.alt}]({folder}figures/{drawing.name}.png)"
    return f"{image}\n\n*Source: {sources}. Drawn by `{COMMAND}`.*"


def pages(root: Path) -> dict[Path, str]:
    """Return every page that is made of results, as it should be."""
    studies = read(root)
    found = {root / "docs/studies" / f"{study.name}.md": page(study) for study in studies}
    found[root / "docs/studies/index.md"] = index(studies)
    for name in FILLED:
        path = root / name
        folder = "" if path.parent.name == "docs" else "docs/"
        found[path] = fill(path.read_text(encoding="utf-8"), studies, folder)
    return found


def collect(studies: Sequence[Path], results: Path) -> list[Path]:
    """Copy results and chosen settings of studies to ``results``; return the new files.

    Everything is read and checked before the first file is written.

    Raises
    ------
    UserError
        If a folder has no results, a file is not the JSON of a study, or ``--quick`` made it.
    """
    found = {}
    for study in studies:
        names = [f"{part}.json" for part in (*PARTS, "configs") if has(study, part)]
        if not names:
            raise UserError(f"{study}: no results of `msm4sr study` in this folder")
        for name in names:
            result = read_file(study / name)
            if not isinstance(result, dict):
                raise UserError(f"{study / name}: not a result of `msm4sr study`")
            if result.get("quick"):
                raise UserError(f"{study / name}: made with --quick; publish a full-length study")
            copy = results / study.resolve().name.removeprefix("study-") / name
            found[copy] = json.dumps(result, ensure_ascii=False) + "\n"
    for path, text in found.items():
        write_text(path, text)
    return list(found)


def write(root: Path, redraw: bool = False) -> None:
    """Write all pages and figures, and remove pages of studies that are gone."""
    found = pages(root)
    for path, text in found.items():
        path.parent.mkdir(exist_ok=True)
        write_text(path, text)
    made = {root / "docs/figures" / f"{d.name}.png": d for d in drawings(read(root))}
    for path, drawing in made.items():
        path.parent.mkdir(exist_ok=True)
        if redraw or fingerprint_in(path) != drawing.fingerprint():
            save(drawing, path)
    for path in (root / "docs/studies").glob("*.md"):
        if path not in found:
            path.unlink()


def read(root: Path) -> list[Study]:
    """Read all committed studies."""
    return read_studies(root / "docs" / "results")


def main(arguments: Sequence[str] | None = None) -> None:
    """Copy results and write the pages."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("studies", type=Path, nargs="*", help="study folders to copy from")
    words = "draw also the figures whose data are unchanged, after a change of their style"
    parser.add_argument("--redraw", action="store_true", help=words)
    args = parser.parse_args(arguments)
    for path in collect(args.studies, ROOT / "docs" / "results"):
        print(path)
    write(ROOT, args.redraw)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
