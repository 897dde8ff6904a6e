"""Results of an evaluation: every model with intervals, and the protocol they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer, evaluate
from msm4sr_lite.sequences import Part, Sequences

METRICS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20", "mrr@10")  # what a table shows
Metrics = dict[str, dict[str, float]]  # "ndcg@10" -> {"value", "low", "high"}


@dataclass(frozen=True)
class Report:
    """Full-ranking metrics with 95 % bootstrap intervals over users.

    ``print`` shows a table; ``report["ndcg@10"]`` is the first model's value.

    Attributes
    ----------
    dataset
        Its name.
    protocol
        Part, split, numbers of users and items, candidates, and whether seen items are filtered.
    models
        Model name to metrics.
    upper_bound
        Metrics of the exact oracles, where a dataset brings them; else empty.
    notes
        What a reader must know besides.
    """

    dataset: str
    protocol: dict[str, Any]
    models: dict[str, Metrics]
    upper_bound: dict[str, Metrics] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, metric: str) -> float:
        return next(iter(self.models.values()))[metric]["value"]

    def share_of_upper_bound(self) -> dict[str, dict[str, float]]:
        """Return each model's NDCG@10 as a share of every upper bound."""
        return {
            name: {
                kind: round(metrics["ndcg@10"]["value"] / best["ndcg@10"]["value"], 4)
                for kind, best in self.upper_bound.items()
            }
            for name, metrics in self.models.items()
            if self.upper_bound
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, ready for JSON."""
        found = asdict(self)
        shares = self.share_of_upper_bound()
        return found | ({"share_of_upper_bound": shares} if shares else {})

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and metric: ``model, metric, value, low, high``."""
        return pd.DataFrame(
            {"model": name, "metric": metric, **numbers}
            for name, metrics in self.models.items()
            for metric, numbers in metrics.items()
        )

    def __str__(self) -> str:
        p = self.protocol
        ranked = "all items" if p["candidates"] == "all" else f"{p['candidates']} listed items"
        seen = "filtered out" if p["filter_seen"] else "kept"
        lines = [
            f"{self.dataset}: {p['users']} users, {p['items']} items; {p['part']} part"
            f" ({p['split']}); {ranked} ranked, seen items {seen}",
            "",
            (" " * 24 + "".join(f"{name:<24}" for name in METRICS)).rstrip(),
        ]
        rows = list(self.models.items())
        rows += [(f"upper bound: {kind}", best) for kind, best in self.upper_bound.items()]
        for name, metrics in rows:
            cells = (metrics[metric] for metric in METRICS)
            numbers = (f"{c['value']:.4f} [{c['low']:.3f}, {c['high']:.3f}]" for c in cells)
            lines.append(f"{name:<24}" + "".join(f"{number:<24}" for number in numbers).rstrip())
        lines.append("")
        for name, shares in self.share_of_upper_bound().items():
            parts = ", ".join(f"{share:.0%} ({kind})" for kind, share in shares.items())
            lines.append(f"{name}: NDCG@10 is {parts} of the upper bound")
        lines.append("[low, high]: 95 % bootstrap interval over users")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__


def evaluate_scorers(
    scorers: Mapping[str, Scorer],
    sequences: Sequences,
    part: Part = "valid",
    *,
    dataset: str = "",
    split: str = "leave-one-out",
    filter_seen: bool = True,
    candidates: np.ndarray | None = None,
    upper_bound: Mapping[str, Scorer] | None = None,
) -> Report:
    """Rank all items for every test case of ``part`` with every scorer.

    Parameters
    ----------
    scorers
        Name to scorer, the model first.
    sequences
        The users' sequences with their held-out parts.
    part
        ``valid`` or ``test``.
    dataset, split
        Names for the report.
    filter_seen
        Whether items of the history are taken out of the ranking.
    candidates
        Item numbers that compete with each target; None for all items.
    upper_bound
        Exact oracles, where there are any.
    """
    users, _ = sequences.cases(part)
    if not len(users):
        raise UserError(f"{dataset or 'the data'}: no held-out interactions in the part {part!r}")
    cases = (*sequences.held_out(part), users)
    options: dict[str, Any] = {"filter_seen": filter_seen, "candidates": candidates}
    return Report(
        dataset,
        {
            "part": part,
            "split": split,
            "users": len(set(users.tolist())),
            "items": sequences.n_items,
            "candidates": "all" if candidates is None else len(candidates),
            "filter_seen": filter_seen,
        },
        {name: evaluate(scorer, *cases, **options) for name, scorer in scorers.items()},
        {name: evaluate(one, *cases, **options) for name, one in (upper_bound or {}).items()},
    )
