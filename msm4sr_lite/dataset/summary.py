"""What a dataset holds, counted: one screen that tells whether it was read as meant."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from msm4sr_lite.dataset.languages import encoder_note, guess_languages
from msm4sr_lite.dataset.rows import Item

FIRST_DATE, END_OF_DATES = 1e8, 253_402_300_800  # from 1973 to the end of the year 9999


@dataclass(frozen=True)
class Summary:
    """Counts of a dataset. ``print`` shows them as text.

    Attributes
    ----------
    name
        Name of the dataset.
    users, items, interactions
        Their numbers.
    first, last
        The smallest and the largest timestamp, in seconds since 1970 where they are times.
    median_history
        Median number of interactions per user.
    repeated
        Interactions of a user with an item that the user had interacted with before.
    duplicates
        Those of ``repeated`` that also have the same timestamp.
    ties
        Interactions at the same time as another one of the same user; they keep the order of the
        table.
    without_interactions, without_text, without_images
        Numbers of items. Items without interactions are cold.
    domains
        Number of items per domain; empty if the dataset names none.
    languages
        Share of the texts per language, for a sample of the items; "other" where it cannot be told.
    notes
        What was dropped while reading and what looks suspicious, one sentence each.
    """

    name: str
    users: int
    items: int
    interactions: int
    first: float
    last: float
    median_history: float
    repeated: int
    duplicates: int
    ties: int
    without_interactions: int
    without_text: int
    without_images: int
    domains: dict[str, int] = field(default_factory=dict)
    languages: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            self.name,
            f"  users         {self.users:,}, with {self.median_history:g} interactions (median)",
            f"  items         {self.items:,}; {self.without_interactions:,} without interactions,"
            f" {self.without_text:,} without text, {self.without_images:,} without images",
            f"  interactions  {self.interactions:,}, {format_period(self.first, self.last)}",
            f"                {self.repeated:,} repeat an earlier one of the user,"
            f" {self.duplicates:,} of them with the same timestamp",
            f"                {self.ties:,} at the same time as another one of the user",
        ]
        if self.domains:
            domains = ", ".join(f"{name} ({n:,})" for name, n in self.domains.items())
            lines.append(f"  domains       {domains}")
        if self.languages:
            shares = (f"{name} {share:.0%}" for name, share in self.languages.items())
            lines.append(f"  languages     {', '.join(shares)}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def summarise(
    name: str, items: Collection[Item], interactions: pd.DataFrame, notes: Sequence[str]
) -> Summary:
    """Count what is in a dataset.

    Parameters
    ----------
    name
        Name of the dataset.
    items
        Its items.
    interactions
        Columns ``user_id``, ``item_id`` and ``timestamp``.
    notes
        Sentences from reading it.

    Examples
    --------
    >>> interactions = pd.DataFrame(
    ...     {"user_id": ["ann", "ann", "ann"], "item_id": ["a", "b", "a"], "timestamp": [1, 2, 2]}
    ... )
    >>> items = [Item("a", "Mug"), Item("b", "Bowl"), Item("c", "Cup")]
    >>> print(summarise("frames", items, interactions, []))
    frames
      users         1, with 3 interactions (median)
      items         3; 1 without interactions, 0 without text, 3 without images
      interactions  3, timestamps 1 to 2
                    1 repeat an earlier one of the user, 0 of them with the same timestamp
                    2 at the same time as another one of the user
      languages     undecided 100%
    """
    table, languages = interactions, guess_languages(items)
    return Summary(
        name=name,
        users=table["user_id"].nunique(),
        items=len(items),
        interactions=len(table),
        first=float(table["timestamp"].min()),
        last=float(table["timestamp"].max()),
        median_history=float(table["user_id"].value_counts().median()),
        repeated=int(table.duplicated(["user_id", "item_id"]).sum()),
        duplicates=int(table.duplicated(["user_id", "item_id", "timestamp"]).sum()),
        ties=int(table.duplicated(["user_id", "timestamp"], keep=False).sum()),
        without_interactions=len(items) - table["item_id"].nunique(),
        without_text=sum(not item.has_text for item in items),
        without_images=sum(not item.images for item in items),
        domains=dict(Counter(item.domain for item in items if item.domain)),
        languages=languages,
        notes=[*notes, *encoder_note(languages)],
    )


def format_period(first: float, last: float) -> str:
    """Return the period between two timestamps, as dates if they look like seconds since 1970.

    >>> format_period(1.6e9, 1.7e9), format_period(1, 3)
    ('2020-09-13 to 2023-11-14', 'timestamps 1 to 3')
    """
    as_dates = first >= FIRST_DATE and last < END_OF_DATES
    return f"{'' if as_dates else 'timestamps '}{format_time(first)} to {format_time(last)}"


def format_time(time: float) -> str:
    """Return a timestamp as a date if it looks like seconds since 1970, else as a number.

    >>> format_time(1.6e9), format_time(3)
    ('2020-09-13', '3')
    """
    if not FIRST_DATE <= time < END_OF_DATES:
        return f"{time:.15g}"
    return datetime.fromtimestamp(time, UTC).date().isoformat()
