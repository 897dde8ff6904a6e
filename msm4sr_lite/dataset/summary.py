"""What is in a dataset, on one screen."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msm4sr_lite.dataset.dataset import Dataset, format_period


def summary(dataset: Dataset) -> dict[str, Any]:
    """Count what is in a dataset.

    Returns
    -------
    counts
        ``name`` of the dataset; how many ``users``, ``items`` and ``interactions`` there are;
        ``first`` and ``last``, the smallest and largest timestamp; ``median_history``, the median
        number of interactions per user; ``repeated``, interactions of a user with an item that the
        user had interacted with before; ``ties``, interactions at the same time as another one of
        the same user, so that their order is that of the table; the numbers of items
        ``without_interactions``, ``without_text`` and ``without_images``; ``domains``, the number
        of items per domain, empty if the dataset names none; ``notes``, what was dropped while
        reading and what looks suspicious.
    """
    table, items = dataset.interactions, dataset.items.values()
    return {
        "name": dataset.name,
        "users": table["user_id"].nunique(),
        "items": len(items),
        "interactions": len(table),
        "first": float(table["timestamp"].min()),
        "last": float(table["timestamp"].max()),
        "median_history": float(table["user_id"].value_counts().median()),
        "repeated": int(table.duplicated(["user_id", "item_id"]).sum()),
        "ties": int(table.duplicated(["user_id", "timestamp"], keep=False).sum()),
        "without_interactions": len(items) - table["item_id"].nunique(),
        "without_text": sum(not item.has_text for item in items),
        "without_images": sum(not item.images for item in items),
        "domains": dict(Counter(item.domain for item in items if item.domain)),
        "notes": list(dataset.notes),
    }


def describe(counts: dict[str, Any]) -> str:
    """Return what ``summary`` counted as a few lines to print.

    Examples
    --------
    >>> import pandas as pd
    >>> from msm4sr_lite import Dataset
    >>> interactions = pd.DataFrame(
    ...     {"user_id": ["ann", "ann", "ann"], "item_id": ["a", "b", "a"], "timestamp": [1, 2, 2]}
    ... )
    >>> items = pd.DataFrame({"item_id": ["a", "b", "c"], "title": ["Mug", "Bowl", "Cup"]})
    >>> print(describe(summary(Dataset.from_frames(interactions, items))))
    frames
      users         1, with 3 interactions (median)
      items         3; 1 without interactions, 0 without text, 3 without images
      interactions  3, timestamps 1 to 2; 1 repeated, 2 at the same time as another of the user
    """
    period = format_period(counts["first"], counts["last"])
    lines = [
        "{name}",
        "  users         {users:,}, with {median_history:g} interactions (median)",
        "  items         {items:,}; {without_interactions:,} without interactions,"
        " {without_text:,} without text, {without_images:,} without images",
        "  interactions  {interactions:,}, {period}; {repeated:,} repeated, {ties:,} at the same"
        " time as another of the user",
    ]
    lines = [line.format(period=period, **counts) for line in lines]
    if counts["domains"]:
        domains = ", ".join(f"{name} ({n:,})" for name, n in counts["domains"].items())
        lines.append(f"  domains       {domains}")
    return "\n".join([*lines, *(f"  note: {note}" for note in counts["notes"])])
