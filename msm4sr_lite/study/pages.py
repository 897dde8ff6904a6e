"""Results of a study as text for a terminal and as Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

SHOWN = ("recall@10", "ndcg@10", "recall@20", "ndcg@20", "mrr@10")
PARTS = {
    "main": "all contenders",
    "cold": "cold start",
    "ablations": "M²SE, one thing changed at a time",
    "transfer": "pre-trained in one department, used in another",
}
FEWEST = 20  # test purchases in a range that is shown
HEAD = "| | NDCG@10 | Recall@20 | difference in NDCG@10 | p (Holm) | detectable |"


def as_text(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as a table for a terminal."""
    if part == "cold":
        return cold_as_text(result)
    if part == "transfer":
        return transfer_as_markdown(result)
    lines = [heading(part, result), ""]
    width = max(map(len, result["models"])) + 2
    lines.append(" " * width + "".join(f"{name:<27}" for name in ("NDCG@10", "Recall@20", "gain")))
    for name, own in ordered(result):
        cells = [with_interval(own["masked"][metric]) for metric in ("ndcg@10", "recall@20")]
        lines.append(
            f"{name:<{width}}" + "".join(f"{c:<27}" for c in cells) + verdict(result, name)
        )
    return "\n".join([*lines, "", *notes(result)])


def as_markdown(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as a section of a page."""
    if part == "cold":
        return cold_as_markdown(result)
    if part == "transfer":
        return transfer_as_markdown(result)
    lines = [heading(part, result), "", "bought items left out of the ranking:", ""]
    lines += [HEAD, "|---|---|---|---|---|---|"]
    for name, own in ordered(result):
        cells = [with_interval(own["masked"][metric]) for metric in ("ndcg@10", "recall@20")]
        lines.append(f"| {name} | " + " | ".join([*cells, *difference(result, name)]) + " |")
    lines += ["", "bought items kept in the ranking, and what the lists are like:", ""]
    lines += ["| | NDCG@10 | Recall@20 | coverage@10 | popularity bias@10 | seconds |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, own in ordered(result):
        cells = [with_interval(own["kept"][metric]) for metric in ("ndcg@10", "recall@20")]
        cells += [f"{own['coverage@10']:.0%}", f"{own['popularity_bias@10']:.2f}"]
        lines.append(f"| {name} | " + " | ".join([*cells, f"{own['seconds']:.0f}"]) + " |")
    if result["upper_bound"]:
        lines += ["", "| | expected NDCG@10 | of what text and pictures allow | of everything |"]
        lines += ["|---|---|---|---|"]
        for name, own in ordered(result):
            share = own["share_of_upper_bound"]
            lines.append(
                f"| {name} | {own['expected_ndcg@10']:.4f} | {share['content']:.0%} |"
                f" {share['oracle']:.0%} |"
            )
    return "\n".join([*lines, "", *notes(result), ""])


def cold_columns(result: dict[str, Any]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield what a study of cold start looks at: its name, number of test purchases, and place."""
    counts = result["counts"]
    if counts["cold"]:
        yield f"new among {result['cold_items']} new", counts["cold"], ("cold_among_cold",)
        yield "new among all", counts["cold"], ("cold_among_all",)
    for part, word in (("by_popularity", "sold"), ("by_history", "history")):
        for name, count in counts[part].items():
            if count >= FEWEST:
                yield f"{word} {name}", count, (part, name)


def cold_cells(result: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield every contender's NDCG@10 in these columns."""
    for name, own in result["models"].items():
        yield (
            name,
            [reduce(getitem, keys, own)["ndcg@10"] for _, _, keys in cold_columns(result)],
        )


def cold_as_text(result: dict[str, Any]) -> str:
    """Return a study of cold start as a table for a terminal."""
    columns = list(cold_columns(result))
    width = max(map(len, result["models"])) + 2
    lines = [*cold_heading(result), "NDCG@10 in all columns, test purchases in brackets:"]
    lines += [f"  {place} = {name} ({count})" for place, (name, count, _) in enumerate(columns, 1)]
    lines += ["", " " * width + "".join(f"{n:>7}" for n in range(1, len(columns) + 1))]
    for name, cells in cold_cells(result):
        lines.append(f"{name:<{width}}" + "".join(f"{cell['value']:7.3f}" for cell in cells))
    return "\n".join(lines)


def cold_as_markdown(result: dict[str, Any]) -> str:
    """Return a study of cold start as a section of a page."""
    columns = list(cold_columns(result))
    lines = cold_heading(result)
    lines.append("| NDCG@10 | " + " | ".join(name for name, _, _ in columns) + " |")
    lines.append("|---" * (1 + len(columns)) + "|")
    lines.append("| *purchases* | " + " | ".join(str(count) for _, count, _ in columns) + " |")
    for name, cells in cold_cells(result):
        lines.append(f"| {name} | " + " | ".join(map(with_interval, cells)) + " |")
    return "\n".join([*lines, ""])


def cold_heading(result: dict[str, Any]) -> list[str]:
    """Say what was looked at."""
    lines = [heading("cold", result), ""]
    if result["taken_out"]:
        lines += ["Items drawn at random were taken out of all purchases but the tests.", ""]
    if result["counts"]["cold"]:
        lines += [f"A random order of the new items would reach {result['chance']:.4f}.", ""]
    return lines


def transfer_as_markdown(result: dict[str, Any]) -> str:
    """Return a learning curve as a table, which a terminal can show too."""
    shot = with_interval(result["zero_shot"]["ndcg@10"])
    lines = [
        f"{result['dataset']}, from {result['source']} to {result['target']}: {result['users']}"
        f" customers, {result['items']} items, NDCG@10 of all customers' test purchases. As it"
        f" comes from {result['source']}, without one purchase of {result['target']}: {shot}.",
        "",
        "| learns from | pre-trained first | from scratch | times | difference | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for share, own in result["shares"].items():
        cells = [with_interval(own[start]["ndcg@10"]) for start in ("pretrained", "scratch")]
        gain = own["gain"]["ndcg@10"]
        told = f"{gain['value']:+.4f} [{gain['low']:+.3f}, {gain['high']:+.3f}]".replace("-", "−")
        cells += [f"{own['ratio']:.2f}", told, str(len(gain["seeds"]))]
        lines.append(f"| {float(share):.0%}, {own['users']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def heading(part: str, result: dict[str, Any]) -> str:
    """Say what was compared on what."""
    dataset = " / ".join(filter(None, (result["dataset"], result["domain"])))
    return (
        f"{dataset}, {PARTS[part]}: {result['users']} customers, {result['cases']} test purchases"
        f" ({result['split']}; {result['cold_cases']} of them of items never bought before),"
        f" {result['items']} items all ranked, seeds {', '.join(map(str, result['seeds']))}"
    )


def ordered(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the contenders, best first."""
    models = result["models"].items()
    yield from sorted(models, key=lambda pair: -pair[1]["masked"]["ndcg@10"]["value"])


def with_interval(figure: dict[str, Any]) -> str:
    """Return a figure with its interval.

    >>> with_interval({"value": 0.05, "low": 0.04, "high": 0.06})
    '0.0500 [0.040, 0.060]'
    """
    return f"{figure['value']:.4f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def difference(result: dict[str, Any], name: str) -> list[str]:
    """Return a contender's difference to the one that all are compared with, in three cells."""
    if name == result["against"]:
        return ["", "", ""]
    own = result["change"][name]["masked"]["ndcg@10"]
    sign = "≈ " if own["p_holm"] > 0.05 else ""
    gain = f"{own['value']:+.4f} [{own['low']:+.3f}, {own['high']:+.3f}]".replace("-", "−")
    return [sign + gain, p_value(own["p_holm"]), f"{own['detectable']:.4f}"]


def verdict(result: dict[str, Any], name: str) -> str:
    """Return the same as one line."""
    gain, p, _ = difference(result, name)
    return f"{gain}, p = {p}" if gain else ""


def p_value(p: float) -> str:
    """Return a p-value as one writes it.

    >>> p_value(0.00001), p_value(0.0312)
    ('< 0.001', '0.031')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def notes(result: dict[str, Any]) -> list[str]:
    """Say how to read the table."""
    many = len(result["seeds"]) > 1
    lines = [
        f"[low, high]: 95 % interval over customers{' and seeds' if many else ' (one seed)'}."
        f" Differences are to {result['against']}, pair by pair of customers; ≈ marks those that"
        " cannot be told from nothing (p > 0.05, Holm's correction for all of them). Detectable:"
        " the smallest true difference that this study would find in four of five cases."
    ]
    if result["quick"]:
        lines.append("Quick: few epochs, one seed, settings not tuned. Not a result to quote.")
    return lines
