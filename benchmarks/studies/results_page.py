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

import pandas as pd

from benchmarks.studies.forest import draw
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text
from msm4sr_lite.study.pages import (
    PARTS,
    comparison_rows,
    heading,
    notes,
    result_table,
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
    if "shares" in result:  # of benchmarks.studies.transfer_curve
        return learning_curve(result)
    table = markdown(result_table(part, result), "NDCG@10" if part == "cold" else "")
    if part == "cold":
        return f"{heading(part, result)}\n\n{table}\n"
    kept = comparison_rows(result, "keep_seen")
    expected = {}
    for name, row in kept.items():
        model = result["models"][name]
        row |= {
            "coverage@10": f"{model['coverage@10']:.0%}",
            "popularity bias@10": f"{model['popularity_bias@10']:.2f}",
            "seconds": f"{model['seconds']:.0f}",
        }
        if share := model.get("share_of_upper_bound"):
            expected[name] = {
                "expected NDCG@10": f"{model['expected_ndcg@10']:.4f}",
                "share of the content upper bound": f"{share['content']:.0%}",
                "share of the upper bound": f"{share['oracle']:.0%}",
            }
    columns = ["NDCG@10", "Recall@20", "coverage@10", "popularity bias@10", "seconds"]
    lines = [heading(part, result), "Items of the history filtered from the ranking:", table]
    lines.append("Items of the history kept in the ranking, and properties of the lists:")
    lines.append(markdown(pd.DataFrame.from_dict(kept, orient="index")[columns]))
    if expected:
        lines.append(markdown(pd.DataFrame.from_dict(expected, orient="index")))
    return "\n\n".join([*lines, notes(part, result)]) + "\n"


def learning_curve(result: dict[str, Any]) -> str:
    """Return a learning curve of transfer as a section of a page."""
    target, shot = result["target"], with_interval(result["zero_shot"]["ndcg@10"])
    text = (
        f"{result['dataset']}, from {result['source']} to {target}: {result['users']}"
        f" users, {result['items']} items, NDCG@10 on the test interactions of all users."
        f" Zero-shot, without training on {target}: {shot}."
    )
    rows = {
        f"{float(share):.0%}, {starts['users']}": {
            "pre-trained first": with_interval(starts["pretrained"]["ndcg@10"]),
            "from scratch": with_interval(starts["scratch"]["ndcg@10"]),
            "ratio": "" if starts["ratio"] is None else f"{starts['ratio']:.2f}",
            "difference": with_interval(starts["gain"]["ndcg@10"], "+"),
            "seeds": str(len(starts["gain"]["ndcg@10"]["seeds"])),
        }
        for share, starts in result["shares"].items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return f"{text}\n\n{markdown(table, 'users trained on')}\n"


def markdown(table: pd.DataFrame, corner: str = "") -> str:
    """Return a table as Markdown; ``corner`` stands above the names of the rows."""
    rows = [[corner, *table.columns], ["---"] * (1 + len(table.columns))]
    rows += [[name, *cells] for name, cells in zip(table.index, table.to_numpy(), strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines[:2] = lines[0].replace("|  |", "| |"), lines[1].replace(" ", "")
    return "\n".join(lines)


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
