"""Show the results of a study as text."""

from typing import Any

import pandas as pd

from msm4sr_lite.printable import counted

PARTS = {
    "main": "all models",
    "cold": "cold start",
    "ablations": "M²SE, one change at a time",
    "transfer": "pre-trained on other data",
}
FEWEST = 20  # ranges with fewer test cases are not shown
COLUMNS = {"ndcg@10": "NDCG@10", "recall@20": "Recall@20"}


def as_text(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as text for a terminal."""
    table = result_table(part, result).to_string(line_width=130)
    return "\n\n".join([heading(part, result), table, notes(part, result)]).strip()


def result_table(part: str, result: dict[str, Any]) -> pd.DataFrame:
    """Return one part's result as a table of text with a row for each model."""
    rows = cold_rows(result) if part == "cold" else comparison_rows(result)
    return pd.DataFrame(list(rows.values()), index=list(rows)).fillna("")


def comparison_rows(result: dict[str, Any], protocol: str = "filter_seen") -> dict[str, Any]:
    """Return each model's metrics and its difference, best model first."""
    models, rows = result["models"], {}
    for name in sorted(models, key=lambda n: -models[n]["filter_seen"]["ndcg@10"]["value"]):
        found = models[name][protocol]
        rows[name] = {label: with_interval(found[metric]) for metric, label in COLUMNS.items()}
        if name in result["change"]:
            change = result["change"][name][protocol]["ndcg@10"]
            p = change["p_holm"]
            rows[name] |= {
                "difference in NDCG@10": ("≈ " if p > 0.05 else "") + with_interval(change, "+"),
                "p (Holm)": "< 0.001" if p < 0.001 else f"{p:.3f}",
                "detectable": f"{change['detectable']:.4f}",
            }
    return rows


def cold_rows(result: dict[str, Any]) -> dict[str, Any]:
    """Return each model's NDCG@10 on subsets of the test cases; the first row holds their sizes."""
    counts = result["counts"]
    # title of a column -> its number of test cases; where a model has its metrics: subset and range
    columns: dict[str, tuple[int, str, str]] = {}
    if counts["cold"]:
        columns[f"cold among {result['cold_items']} cold"] = counts["cold"], "cold_among_cold", ""
        columns["cold among all"] = counts["cold"], "cold_among_all", ""
    for subset, label in (("by_popularity", "interactions"), ("by_history", "history")):
        for name, count in counts[subset].items():
            if count >= FEWEST:
                columns[f"{label} {name}"] = count, subset, name
    rows = {"test cases": {label: str(count) for label, (count, *_) in columns.items()}}
    for model_name, model in result["models"].items():
        rows[model_name] = {
            label: with_interval((model[subset][name] if name else model[subset])["ndcg@10"])
            for label, (_, subset, name) in columns.items()
        }
    return rows


def heading(part: str, result: dict[str, Any]) -> str:
    """Describe what was compared, and on which data."""
    dataset = " / ".join(filter(None, (result["dataset"], result["domain"])))
    source = f" ({result['source']})" if part == "transfer" else ""
    lines = [
        f"{dataset}, {PARTS[part]}{source}: {counted(result['users'], 'user')},"
        f" {counted(result['cases'], 'test case')}"
        f" ({result['split']}; {result['cold_cases']} of them with a cold target),"
        f" {counted(result['items'], 'item')} all ranked,"
        f" seeds {', '.join(map(str, result['seeds']))}"
    ]
    if part == "cold":
        lines.append(
            "NDCG@10. Columns: targets without interactions at test time (cold), ranked among the"
            " cold items and among all items; targets by their number of training interactions;"
            " users by the length of their history."
        )
        if result["items_removed"]:
            lines.append("Interactions of random items were removed, except those that test.")
        chance = result["random_ndcg@10"]
        lines.append(f"A random order of the cold items has NDCG@10 {chance:.4f}.")
    return "\n\n".join(lines)


def notes(part: str, result: dict[str, Any]) -> str:
    """Explain how to read the table."""
    if part == "cold":
        return ""
    seeds = " and seeds" if len(result["seeds"]) > 1 else " (one seed)"
    text = (
        f"[low, high]: 95 % interval over users{seeds}."
        f" Differences are to {result['against']}, paired by user; ≈ marks differences that are not"
        " statistically significant (p > 0.05, Holm's correction). Detectable: the smallest true"
        " difference that this study finds significant with a power of 80 %."
    )
    quick = "\nQuick: few epochs, one seed, default settings. Do not quote these results."
    return text + (quick if result["quick"] else "")


def with_interval(figure: dict[str, Any], sign: str = "") -> str:
    """Return a value with its interval; with the sign ``+``, a difference.

    >>> with_interval({"value": 0.05, "low": 0.04, "high": 0.06})
    '0.0500 [0.040, 0.060]'
    >>> with_interval({"value": -0.05, "low": -0.06, "high": 0.01}, "+")
    '−0.0500 [−0.060, +0.010]'
    """
    text = f"{figure['value']:{sign}.4f} [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"
    return text.replace("-", "−")
