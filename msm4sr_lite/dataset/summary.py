"""What is in a dataset, on one screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset


@dataclass(frozen=True)
class DatasetSummary:
    """Counts of a dataset; ``str()`` gives a few lines to print.

    Attributes
    ----------
    name
        Name of the dataset.
    users, items, interactions
        How many there are.
    first, last
        Smallest and largest timestamp.
    median_history
        Median number of interactions per user.
    repeated
        Interactions of a user with an item that the user had interacted with before.
    ties
        Interactions at the same time as another one of the same user: their order is that of the
        table.
    without_interactions, without_text, without_images
        Numbers of items.
    domains
        Number of items per domain, empty if the dataset names none.
    notes
        What was dropped while reading and what looks suspicious.
    """

    name: str
    users: int
    items: int
    interactions: int
    first: float
    last: float
    median_history: float
    repeated: int
    ties: int
    without_interactions: int
    without_text: int
    without_images: int
    domains: dict[str, int]
    notes: list[str]

    def __str__(self) -> str:
        from msm4sr_lite.dataset.dataset import format_period

        rows = {
            "users": f"{self.users:,}, with {self.median_history:g} interactions (median)",
            "items": f"{self.items:,}; {self.without_interactions:,} without interactions,"
            f" {self.without_text:,} without text, {self.without_images:,} without images",
            "interactions": f"{self.interactions:,}, {format_period(self.first, self.last)};"
            f" {self.repeated:,} repeated, {self.ties:,} at the same time as another of the user",
        }
        if self.domains:
            rows["domains"] = ", ".join(f"{name} ({n:,})" for name, n in self.domains.items())
        lines = [self.name, *(f"  {name:<14}{text}" for name, text in rows.items())]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def summary(dataset: Dataset) -> DatasetSummary:
    """Count what is in a dataset.

    Examples
    --------
    >>> import pandas as pd
    >>> from msm4sr_lite.dataset import Dataset
    >>> interactions = pd.DataFrame(
    ...     {"user_id": ["ann", "ann", "ann"], "item_id": ["a", "b", "a"], "timestamp": [1, 2, 2]}
    ... )
    >>> items = pd.DataFrame({"item_id": ["a", "b", "c"], "title": ["Mug", "Bowl", "Cup"]})
    >>> print(summary(Dataset.from_frames(interactions, items)))
    frames
      users         1, with 3 interactions (median)
      items         3; 1 without interactions, 0 without text, 3 without images
      interactions  3, timestamps 1 to 2; 1 repeated, 2 at the same time as another of the user
    """
    table, items = dataset.interactions, dataset.items.values()
    domains: dict[str, int] = {}
    for item in items:
        if item.domain:
            domains[item.domain] = domains.get(item.domain, 0) + 1
    return DatasetSummary(
        name=dataset.name,
        users=table["user_id"].nunique(),
        items=len(items),
        interactions=len(table),
        first=float(table["timestamp"].min()),
        last=float(table["timestamp"].max()),
        median_history=float(np.median(table["user_id"].value_counts())),
        repeated=int(table.duplicated(["user_id", "item_id"]).sum()),
        ties=int(table.duplicated(["user_id", "timestamp"], keep=False).sum()),
        without_interactions=len(items) - table["item_id"].nunique(),
        without_text=sum(not item.has_text for item in items),
        without_images=sum(not item.images for item in items),
        domains=domains,
        notes=list(dataset.notes),
    )
