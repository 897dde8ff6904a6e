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
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text
from msm4sr_lite.study.forest import draw
from msm4sr_lite.study.pages import (
    COLUMNS,
    PARTS,
    cold_cells,
    cold_columns,
    cold_heading,
    difference,
    heading,
    notes,
    ordered,
    table_row,
    transfer_table,
    with_interval,
)

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


def as_markdown(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as a section of a page."""
    if part == "cold":
        return cold_as_markdown(result)
    if part == "transfer":
        return transfer_table(result)
    lines = [heading(part, result), "", "Items of the history filtered from the ranking:", ""]
    lines += table_head("NDCG@10", "Recall@20", "difference in NDCG@10", "p (Holm)", "detectable")
    for name, model in ordered(result):
        cells = [with_interval(model["filter_seen"][metric]) for metric in COLUMNS]
        lines.append(table_row(name, *cells, *difference(result, name)))
    lines += ["", "Items of the history kept in the ranking, and properties of the lists:", ""]
    lines += table_head("NDCG@10", "Recall@20", "coverage@10", "popularity bias@10", "seconds")
    for name, model in ordered(result):
        cells = [with_interval(model["keep_seen"][metric]) for metric in COLUMNS]
        cells += [f"{model['coverage@10']:.0%}", f"{model['popularity_bias@10']:.2f}"]
        lines.append(table_row(name, *cells, f"{model['seconds']:.0f}"))
    if result["upper_bound"]:
        lines += [""]
        lines += table_head(
            "expected NDCG@10", "share of the content upper bound", "share of the upper bound"
        )
        for name, model in ordered(result):
            share = model["share_of_upper_bound"]
            shares = [f"{share[kind]:.0%}" for kind in ("content", "oracle")]
            lines.append(table_row(name, f"{model['expected_ndcg@10']:.4f}", *shares))
    return "\n".join([*lines, "", *notes(result), ""])


def cold_as_markdown(result: dict[str, Any]) -> str:
    """Return a cold-start study as a section of a page."""
    columns = list(cold_columns(result))
    lines = cold_heading(result)
    lines += [table_row("NDCG@10", *(name for name, _, _ in columns))]
    lines += ["|---" * (1 + len(columns)) + "|"]
    lines += [table_row("*test cases*", *(str(count) for _, count, _ in columns))]
    lines += [table_row(name, *map(with_interval, cells)) for name, cells in cold_cells(result)]
    return "\n".join([*lines, ""])


def table_head(*names: str) -> list[str]:
    """Return the first two lines of a Markdown table whose first column has no name."""
    return [f"| | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]


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
