"""Write the results of ``benchmarks.studies.differences`` into ``docs/differences.md``.

A table stands between ``<!-- measured: NAME -->`` and ``<!-- end -->``; the text around it is
written by hand. In the table of settings only the last two cells of each row are results: those of
the variant that the third cell names first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msm4sr_lite.study.paired import METRICS

_BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text: str, results: Mapping[str, Any]) -> str:
    """Return the page with each measured block written from ``results``."""

    def block(found: re.Match[str]) -> str:
        begin, name, old, end = found.groups()
        new = _options(old, results["variants"]) if name == "options" else _MADE[name](results)
        return begin + new + end

    return _BLOCK.sub(block, text)


def change(figures: Mapping[str, Any]) -> str:
    """Return a difference with its interval and a verdict; with one seed there is none.

    >>> change({"value": -0.01, "low": -0.02, "high": -0.005, "seeds": [-0.01, -0.01]})
    '−0.0100 [−0.0200, −0.0050] **worse**'
    >>> change({"value": -0.01, "low": -0.02, "high": 0.001, "seeds": [-0.01, -0.01]})
    '−0.0100 [−0.0200, +0.0010] not significant'
    >>> change({"value": -0.01, "low": -0.02, "high": -0.005, "seeds": [-0.01]})
    '−0.0100 [−0.0200, −0.0050] one seed'
    """
    value, low, high = (
        f"{figures[name]:+.4f}".replace("-", "−") for name in ("value", "low", "high")
    )
    verdict = "not significant" if figures["high"] > figures["low"] else "the same"
    if figures["low"] > 0:
        verdict = "**better**"
    if figures["high"] < 0:
        verdict = "**worse**"
    if len(figures.get("seeds", ())) == 1:
        verdict = "one seed"
    return f"{value} [{low}, {high}] {verdict}"


def option(row: str) -> str:
    """Return the variant that a row of the table of settings is about."""
    return row.split("|")[3].split("`")[1]


def _options(old: str, variants: Mapping[str, Any]) -> str:
    lines = []
    for place, line in enumerate(old.splitlines()):
        if place >= 2:
            gains = variants[option(line)]["change"]
            cells = [f" {change(gains[name])} " for name in METRICS]
            line = "|".join([*line.split("|")[: -1 - len(cells)], *cells, ""])
        lines.append(line)
    return "\n".join(lines) + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    cells = list(head)
    lines = [cells, ["---"] * len(cells), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _protocol(results: Mapping[str, Any]) -> str:
    dataset, how, found = results["dataset"], results["protocol"], results["variants"]
    values = (
        f"NDCG@10 {found[name]['metrics']['ndcg@10']:.4f},"
        f" Recall@20 {found[name]['metrics']['recall@20']:.4f}"
        for name in ("paper", "finetuned")
    )
    closely = ", ".join(
        f"`{name}`"
        for name, of in found.items()
        if len(of["change"]["ndcg@10"]["seeds"]) > how["seeds"]
    )
    return (
        f"Dataset: {dataset['name']}, domain {dataset['domain']}, {dataset['users']:,} users,"
        f" {dataset['items']} items. Pre-training: {how['epochs']} epochs, {how['batch_size']}"
        f" targets a step; fine-tuning: {how['finetune_epochs']} epochs. Seeds: {how['seeds']};"
        f" {how['more_seeds']} for {closely}. The preset `paper`"
        f" reaches {' pre-trained and '.join(values)} fine-tuned.\n"
    )


def _pooling(results: Mapping[str, Any]) -> str:
    rows = []
    for modality, p in results["numerics"]["pooling"].items():
        shares = ", ".join(f"{k}: {share:.2f}" for k, share in p["weight_of_real"].items())
        alike = f"{p['alike']['masked']:.2f} / {p['alike']['unmasked']:.2f}"
        rows.append([modality, f"{p['cosine_to_mean']:.3f}", shares, alike, f"{p['ten_more']:.0%}"])
    head = [
        "",
        "smallest cosine of untrained attention pooling and the mean",
        "no mask: weight on an item's k real slots",
        "mean cosine of two items, mask / no mask",
        "no mask: change of an embedding by ten more empty slots",
    ]
    return _table(head, rows)


def _same_target(results: Mapping[str, Any]) -> str:
    kinds = {
        "random": "random embeddings",
        "untrained": "untrained model",
        "trained": "trained model",
    }
    rows = []
    for row in results["numerics"]["same_target"]:
        cells = [f"{row[name]['exclude']:.3f} + {row[name]['added']:.5f}" for name in kinds]
        rows.append([row["targets"], *cells])
    return _table(["targets in a step", *kinds.values()], rows)


def _subtraction(results: Mapping[str, Any]) -> str:
    rows = [
        [row["rows"], row["trials"], f"{row['broken']:.1%}", row["error"], row["library_error"]]
        for row in results["numerics"]["cmcl"]
    ]
    head = [
        "rows",
        "trials",
        "not finite",
        "mean error of the others",
        "mean error of this library",
    ]
    return _table(head, rows)


def _long(results: Mapping[str, Any]) -> str:
    found = results["long"]
    states, trained = found["states"], found["metrics"]
    sliding, cut = states["sliding"], states["windows"]
    loss = f"{cut['loss'] - sliding['loss']:+.4f}".replace("-", "−")
    reading = change(states["change of ndcg@10"])
    rows: list[list[object]] = [
        ["items before a target, mean", sliding["context"], cut["context"], ""],
        ["one model: loss, nats", sliding["loss"], cut["loss"], loss],
        ["one model: NDCG@10", sliding["ndcg@10"], cut["ndcg@10"], reading],
    ]
    for name, label in (("ndcg@10", "NDCG@10"), ("recall@20", "Recall@20")):
        values = [f"{trained[way][name]:.4f}" for way in ("prefix", "all_positions")]
        rows.append([f"trained this way: {label}", *values, change(found["change"][name])])
    cosine = states["cosine"]
    return (
        _table(["", "sliding window", "windows (this library)", "change"], rows)
        + f"\nCosine between the two states of the same target: mean {cosine['mean']:.3f}, smallest"
        f" {cosine['least']:.3f} ({states['targets']:,} targets). Training:"
        f" {found['training_users']} simulated users with {found['length']} interactions,"
        f" {found['epochs']} epochs, seeds: {found['seeds']}; tested on"
        f" {found['test_users']:,} others.\n"
    )


_MADE = {
    "protocol": _protocol,
    "pooling": _pooling,
    "same_target": _same_target,
    "subtraction": _subtraction,
    "long": _long,
}
