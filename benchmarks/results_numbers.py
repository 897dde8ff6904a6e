"""Numbers of results in sentences: where they stand in the JSON files, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.study_pages import Study
from msm4sr_lite.config import UserError


def interval(found: dict[str, float], sign: str = "", turn: int = 1, digits: int = 3) -> str:
    """Return a value with its interval; ``turn=-1`` turns a difference round."""
    low, high = sorted((turn * found["low"], turn * found["high"]))
    value, low_text, high_text = (
        f"{number:{sign}.{digits}f}" for number in (turn * found["value"], low, high)
    )
    return f"{value} [{low_text}, {high_text}]".replace("-", "−")


def p_value(found: dict[str, float]) -> str:
    """Return the corrected p-value of a difference."""
    return "p < 0.001" if found["p_holm"] < 0.001 else f"p = {found['p_holm']:.3f}"


def marked(found: dict[str, float], turn: int = 1) -> str:
    """Return a signed interval; in bold if the difference is significant after correction."""
    text = interval(found, "+", turn)
    return f"**{text}**" if found["p_holm"] < 0.05 else text


FORMATS: dict[str, Callable[[Any], str]] = {
    "value": lambda found: f"{found['value']:.3f}",
    "interval": interval,
    "value_4": lambda found: f"{found['value']:.4f}",
    "interval_4": lambda found: interval(found, digits=4),  # as precise as published figures
    "change": lambda found: interval(found, "+"),
    "gain": lambda found: interval(found, "+", -1),  # of the complete model over a variant
    "loss": lambda found: interval(found, "", -1),  # of a variant to the complete model
    "change_marked": marked,
    "gain_marked": lambda found: marked(found, -1),
    "p": p_value,
    "number": lambda found: f"{found:.3f}",
    "count": lambda found: f"{found:,}",
    "length": lambda found: str(len(found)),
    "percent": lambda found: f"{found:.0%}".replace("%", " %"),
    "round": lambda found: f"{found:.0f}",
    "ratio": lambda found: f"{found:.1f}",
}


def number(address: str, form: str, studies: dict[str, Study]) -> str:
    """Return a number of a result as text."""
    name, part, *keys = address.split("/")
    try:
        found: Any = studies[name].parts[part]
        for key in keys:
            found = found[key]
        for key in ("filter_seen", "ndcg@10"):
            found = found[key] if isinstance(found, dict) and key in found else found
        return FORMATS[form](found)
    except (KeyError, TypeError) as error:
        raise UserError(f"{address} as {form}: no such number in docs/results ({error})") from None
