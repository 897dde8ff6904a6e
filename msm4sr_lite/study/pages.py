"""Results of a study as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

PARTS = {
    "main": "all models",
    "cold": "cold start",
    "ablations": "M²SE, one change at a time",
    "transfer": "pre-trained on other data",
}
FEWEST = 20  # test cases in a range that is shown
COLUMNS = ("ndcg@10", "recall@20")


def as_text(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as a table for a terminal."""
    if part == "cold":
        return cold_as_text(result)
    if part == "transfer":
        return transfer_table(result)
    rows = [["", "NDCG@10", "Recall@20", f"difference to {result['against']}"]]
    for name, model in ordered(result):
        gain, p, _ = difference(result, name)
        change = f"{gain}, p {p if p.startswith('<') else f'= {p}'}" if gain else ""
        rows.append([name, *(with_interval(model["filter_seen"][m]) for m in COLUMNS), change])
    width = max(map(len, result["models"])) + 2
    lines = [f"{name:<{width}}" + "".join(f"{cell:<27}" for cell in row) for name, *row in rows]
    return "\n".join([heading(part, result), "", *map(str.rstrip, lines), "", *notes(result)])


def table_row(*cells: str) -> str:
    """Return one line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def cold_columns(result: dict[str, Any]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield the columns of the cold-start table: name, number of test cases, keys."""
    counts = result["counts"]
    if counts["cold"]:
        yield f"cold among {result['cold_items']} cold", counts["cold"], ("cold_among_cold",)
        yield "cold among all", counts["cold"], ("cold_among_all",)
    for subset, label in (("by_popularity", "interactions"), ("by_history", "history")):
        for name, count in counts[subset].items():
            if count >= FEWEST:
                yield f"{label} {name}", count, (subset, name)


def cold_cells(result: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each model's NDCG@10 in these columns."""
    columns = [keys for _, _, keys in cold_columns(result)]
    for name, model in result["models"].items():
        yield name, [reduce(getitem, keys, model)["ndcg@10"] for keys in columns]


def cold_as_text(result: dict[str, Any]) -> str:
    """Return a cold-start study as a table for a terminal."""
    columns = list(cold_columns(result))
    width = max(map(len, result["models"])) + 2
    lines = [*cold_heading(result), "NDCG@10 in all columns, number of test cases in brackets:"]
    lines += [f"  {place} = {name} ({count})" for place, (name, count, _) in enumerate(columns, 1)]
    lines += ["", " " * width + "".join(f"{n:>7}" for n in range(1, len(columns) + 1))]
    for name, cells in cold_cells(result):
        lines.append(f"{name:<{width}}" + "".join(f"{cell['value']:7.3f}" for cell in cells))
    return "\n".join(lines)


def cold_heading(result: dict[str, Any]) -> list[str]:
    """Say what was evaluated."""
    lines = [heading("cold", result), ""]
    lines += [
        "Columns: targets without interactions at test time (cold), ranked among the cold items and"
        " among all items; targets by their number of training interactions; users by the length of"
        " their history.",
        "",
    ]
    if result["items_removed"]:
        lines += ["Interactions of randomly drawn items were removed, except those that test.", ""]
    if result["counts"]["cold"]:
        chance = result["random_ndcg@10"]
        lines += [f"A random order of the cold items has NDCG@10 {chance:.4f}.", ""]
    return lines


def transfer_table(result: dict[str, Any]) -> str:
    """Return a learning curve as a table, which a terminal can show too."""
    shot, target = with_interval(result["zero_shot"]["ndcg@10"]), result["target"]
    lines = [
        f"{result['dataset']}, from {result['source']} to {target}: {result['users']}"
        f" users, {result['items']} items, NDCG@10 on the test interactions of all users."
        f" Zero-shot, without training on {target}: {shot}.",
        "",
        "| users trained on | pre-trained first | from scratch | ratio | difference | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for share, starts in result["shares"].items():
        cells = [with_interval(starts[start]["ndcg@10"]) for start in ("pretrained", "scratch")]
        gain = starts["gain"]["ndcg@10"]
        ratio = "" if starts["ratio"] is None else f"{starts['ratio']:.2f}"
        cells += [ratio, signed_interval(gain), str(len(gain["seeds"]))]
        lines.append(table_row(f"{float(share):.0%}, {starts['users']}", *cells))
    return "\n".join([*lines, ""])


def heading(part: str, result: dict[str, Any]) -> str:
    """Say what was compared on which data."""
    dataset = " / ".join(filter(None, (result["dataset"], result["domain"])))
    return (
        f"{dataset}, {PARTS[part]}: {result['users']} users, {result['cases']} test cases"
        f" ({result['split']}; {result['cold_cases']} of them with a cold target),"
        f" {result['items']} items all ranked, seeds {', '.join(map(str, result['seeds']))}"
    )


def ordered(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the models, best first."""
    models = result["models"].items()
    return sorted(models, key=lambda pair: -pair[1]["filter_seen"]["ndcg@10"]["value"])


def with_interval(figure: dict[str, Any]) -> str:
    """Return a value with its interval.

    >>> with_interval({"value": 0.05, "low": 0.04, "high": 0.06})
    '0.0500 [0.040, 0.060]'
    """
    return f"{figure['value']:.4f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def signed_interval(figure: dict[str, Any]) -> str:
    """Return a difference with its interval.

    >>> signed_interval({"value": -0.05, "low": -0.06, "high": 0.01})
    '−0.0500 [−0.060, +0.010]'
    """
    text = f"{figure['value']:+.4f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"
    return text.replace("-", "−")


def difference(result: dict[str, Any], name: str) -> list[str]:
    """Return a model's difference, its p-value and the detectable difference, in three cells."""
    if name == result["against"]:
        return ["", "", ""]
    change = result["change"][name]["filter_seen"]["ndcg@10"]
    sign = "≈ " if change["p_holm"] > 0.05 else ""
    gain = sign + signed_interval(change)
    return [gain, p_value(change["p_holm"]), f"{change['detectable']:.4f}"]


def p_value(p: float) -> str:
    """Return a p-value with three digits.

    >>> p_value(0.00001), p_value(0.0312)
    ('< 0.001', '0.031')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def notes(result: dict[str, Any]) -> list[str]:
    """Say how to read the table."""
    several = len(result["seeds"]) > 1
    lines = [
        f"[low, high]: 95 % interval over users{' and seeds' if several else ' (one seed)'}."
        f" Differences are to {result['against']}, paired by user; ≈ marks differences that are not"
        " statistically significant (p > 0.05, Holm's correction). Detectable: the smallest true"
        " difference that this study finds significant with a power of 80 %."
    ]
    if result["quick"]:
        lines.append("Quick: few epochs, one seed, default settings. Do not quote these results.")
    return lines
