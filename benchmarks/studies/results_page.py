"""Write the tables of docs/results.md anew from the JSON files of studies.

    python -m benchmarks.studies.results_page docs/results.md [STUDY ...]

A table stands between ``<!-- measured: NAME/PART -->`` and ``<!-- end -->``; the words around are
written by hand. ``docs/results/NAME/PART.json`` holds what a study has found; that of ablations is
drawn too, beside it. With the folders of studies given, their results are copied there first, each
under the folder's own name.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text
from msm4sr_lite.study.forest import draw
from msm4sr_lite.study.pages import PARTS, as_markdown

_BLOCK = re.compile(r"(<!-- measured: (\S+)/(\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text: str, results: Path) -> str:
    """Return the page with every table written anew from the files in ``results``."""

    def block(found: re.Match[str]) -> str:
        begin, name, part, _, end = found.groups()
        path = results / name / f"{part}.json"
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None
        shown = as_markdown(part, result)
        if part == "ablations":
            words = draw(result, path.with_suffix(".png"))
            shown = f"![{words}]({results.name}/{name}/{part}.png)\n\n{shown}"
        return f"{begin}\n{shown}\n{end}"

    return _BLOCK.sub(block, text)


def collect(study: Path, results: Path) -> list[Path]:
    """Copy what a study has found, and its recipes, to ``results``; return the files."""
    found = []
    for name in (*PARTS, "recipes"):
        if (study / f"{name}.json").is_file():
            text = (study / f"{name}.json").read_text(encoding="utf-8")
            found.append(results / study.resolve().name.removeprefix("study-") / f"{name}.json")
            write_text(found[-1], json.dumps(json.loads(text), ensure_ascii=False) + "\n")
    if not found:
        raise UserError(f"{study}: no results of `msm4sr study` in this folder")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Copy results and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.results_page")
    parser.add_argument("page", type=Path, help="docs/results.md")
    parser.add_argument("studies", type=Path, nargs="*", help="folders of studies, to copy from")
    args = parser.parse_args(arguments)
    for study in args.studies:
        for path in collect(study, args.page.with_suffix("")):
            print(path)
    write_text(args.page, fill(args.page.read_text(encoding="utf-8"), args.page.with_suffix("")))


if __name__ == "__main__":
    main()
