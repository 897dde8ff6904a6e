"""The race of the course: results of this student, and stored ones of longer runs, in one table.

All of them are NDCG@10 in the sample's domain *home*: among all items that a user does not have,
on each user's last interaction. The scoreboard grows from notebook to notebook, because
``progress.json`` keeps what was scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from course.display import escape, isolate, show_html
from course.progress import load_progress, record
from course.session import ROOT
from msm4sr_lite.config import UserError

_STUDY, _ENSEMBLE = "corner_shop-home-128", "corner_shop-home-ensemble"
# Name on the scoreboard -> the study in docs/results, and the model's name there.
STORED = {
    "popularity": (_STUDY, "popularity"),
    "ItemKNN": (_STUDY, "item_knn"),
    "SASRec": (_STUDY, "sasrec"),
    "UniSRec": (_ENSEMBLE, "unisrec"),
    "text+image, no mixup": (_STUDY, "text+image"),
    "paper": (_STUDY, "msm4sr"),
    "tuned": (_STUDY, "msm4sr_tuned"),
    "ensemble": (_ENSEMBLE, "ensemble"),
}
BOUND = "oracle upper bound"
LIVE = "live"
_LONGEST = 40  # characters of a name
_here: dict[str, dict[str, float]] = {}  # what was scored since the kernel started


class Row(NamedTuple):
    """One result: NDCG@10, its 95 % interval, and ``LIVE`` or the file that it comes from."""

    name: str
    ndcg: float
    low: float
    high: float
    source: str


def score(name: str, ndcg: float, low: float, high: float) -> None:
    """Put a result on the scoreboard; the same name again replaces it.

    It is kept in ``progress.json``; in static mode until the kernel ends.

    Parameters
    ----------
    name
        What was evaluated: ``"my M²SE, pre-trained"``.
    ndcg, low, high
        NDCG@10 and its 95 % interval, as ``summarise(metrics(ranks, [10]))["ndcg@10"]`` has them.
    """
    entry = {"ndcg": ndcg, "low": low, "high": high}
    entry = {key: round(float(value), 4) for key, value in entry.items()}
    if not _is_result(name, entry):
        raise UserError(
            f"score({name!r}, ...): needs a name of 1 to {_LONGEST} characters and"
            f" 0 <= low <= ndcg <= high <= 1; got ndcg {ndcg}, low {low}, high {high}"
        )
    _here[name] = entry
    record("scores", name, entry)


def scoreboard(*stored: str) -> None:
    """Show the results of this student with those of longer runs, the best first.

    Parameters
    ----------
    stored
        Which of the results in ``STORED`` to show: ``"SASRec", "paper", "tuned"``. In static mode
        they stand beside the results of this kernel.
    """
    if unknown := set(stored) - set(STORED):
        raise UserError(f"scoreboard: no stored result {sorted(unknown)}; there are {[*STORED]}")
    bound = upper_bound()
    rows = [bound, *sorted(_rows(stored), key=lambda row: -row.ndcg)]
    shares = [row.ndcg / bound.ndcg for row in rows]
    show_html(_table(rows, shares), _text(rows, shares))


def upper_bound() -> Row:
    """Return the expected NDCG@10 of the oracle, which knows how the sample's users decide."""
    value = float(_study(_STUDY)["upper_bound"]["oracle"])
    return Row(BOUND, value, value, value, _file(_STUDY))


def stored_result(name: str) -> Row:
    """Return a stored result: the mean over the seeds of a study."""
    study, model = STORED[name]
    found = _study(study)["models"][model]["filter_seen"]["ndcg@10"]
    return Row(name, found["value"], found["low"], found["high"], _file(study))


def _rows(stored: tuple[str, ...]) -> Iterator[Row]:
    for name, entry in {**load_progress()["scores"], **_here}.items():
        if _is_result(name, entry):  # the file may have been edited
            yield Row(name, entry["ndcg"], entry["low"], entry["high"], LIVE)
    yield from map(stored_result, dict.fromkeys(stored))


def _is_result(name: Any, entry: Any) -> bool:
    if not isinstance(name, str) or not 0 < len(name.strip()) <= len(name) <= _LONGEST:
        return False
    if not isinstance(entry, dict):
        return False
    values = [entry.get(key) for key in ("low", "ndcg", "high")]
    found = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(found) < len(values):
        return False
    low, ndcg, high = found
    return 0 <= low <= ndcg <= high <= 1


@cache
def _study(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / _file(name)).read_text("utf-8"))
    return found


def _file(study: str) -> str:
    return f"docs/results/{study}/main.json"


def _figure(row: Row) -> str:
    interval = "" if row.name == BOUND else f" [{row.low:.3f}, {row.high:.3f}]"
    return f"{row.ndcg:.3f}{interval}"


def _source(row: Row) -> str:
    return row.source if row.source == LIVE else f"stored: {row.source}"


_CAPTION = (
    "NDCG@10 in the domain home, 95 % interval. Share: NDCG@10 divided by what the oracle can"
    " expect. Stored results are means over three seeds of longer training."
)


def _table(rows: list[Row], shares: list[float]) -> str:
    head = "".join(f'<th scope="col" style="text-align:left">{one}</th>' for one in _HEAD)
    lines = []
    for row, share in zip(rows, shares, strict=True):
        colour = "#0072B2" if row.source == LIVE else "#999999"
        bar = (
            f'<div style="background:{colour};height:0.7em;width:{100 * min(share, 1):.0f}%"></div>'
        )
        name = f"<strong>{escape(row.name)}</strong>" if row.source == LIVE else escape(row.name)
        lines.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:normal">{name}</th>'
            f"<td>{_figure(row)}</td>"
            f'<td style="min-width:9em">{share:.0%}{bar}</td>'
            f'<td style="text-align:left">{_source(row)}</td></tr>'
        )
    caption = f'<caption style="caption-side:bottom;text-align:left">{_CAPTION}</caption>'
    body = "".join(lines)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_HEAD = ("model", "NDCG@10", "share of the upper bound", "live or stored")


def _text(rows: list[Row], shares: list[float]) -> str:
    width = max(len(isolate(row.name)) for row in rows)
    return "\n".join(
        f"{isolate(row.name):<{width}}  {_figure(row):<20}  {share:>4.0%}  {_source(row)}"
        for row, share in zip(rows, shares, strict=True)
    )
