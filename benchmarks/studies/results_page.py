"""Write the tables of ``docs/results.md`` from the JSON files of studies.

    python -m benchmarks.studies.results_page docs/results.md [STUDY ...]

A table stands between ``<!-- measured: NAME/PART -->`` and ``<!-- end -->``; the text around it is
written by hand. ``docs/results/NAME/PART.json`` holds the result of a study. For ablations a forest
plot is drawn beside it. If study folders are given, their results are first copied there, each
under the name of its folder.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text
from msm4sr_lite.study.forest import draw
from msm4sr_lite.study.pages import PARTS, as_markdown

_BLOCK = re.compile(r"(<!-- measured: (\S+)/(\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text: str, results: Path) -> str:
    """Return the page with each table written from the files in ``results``."""

    def block(found: re.Match[str]) -> str:
        begin, name, part, _, end = found.groups()
        path = results / name / f"{part}.json"
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None
        section = as_markdown(part, result)
        if part == "ablations":
            words = draw(result, path.with_suffix(".png"))
            section = f"![{words}]({results.name}/{name}/{part}.png)\n\n{section}"
        return f"{begin}\n{section}\n{end}"

    return _BLOCK.sub(block, text)


def collect(study: Path, results: Path) -> list[Path]:
    """Copy the results and the chosen settings of a study to ``results``; return the files."""
    found = []
    for name in (*PARTS, "configs"):
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
    parser.add_argument("studies", type=Path, nargs="*", help="study folders to copy from")
    args = parser.parse_args(arguments)
    for study in args.studies:
        for path in collect(study, args.page.with_suffix("")):
            print(path)
    write_text(args.page, fill(args.page.read_text(encoding="utf-8"), args.page.with_suffix("")))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
