"""What a dataset holds, counted: one screen that tells whether it was read as meant."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pandas as pd

from msm4sr_lite.config import DataConfig
from msm4sr_lite.dataset.filters import filter_interactions
from msm4sr_lite.dataset.languages import encoder_note, guess_languages
from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.dataset.times import format_period
from msm4sr_lite.printable import counted, one_line

N_DOMAINS = 20  # that are printed


@dataclass(frozen=True)
class Summary:
    """Counts of a dataset. ``print`` shows them as text.

    Attributes
    ----------
    name
        Name of the dataset.
    users, items, interactions
        Their numbers.
    kept_users
        Number of users that training keeps with the default settings: those who interacted with 5
        or more different items (``data.min_user_interactions``, ``data.deduplicate``).
    first, last
        The smallest and the largest timestamp, in seconds since 1970 where they are times.
    median_history, longest_history
        Median and largest number of interactions per user.
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
        Share of the texts per language, for a sample of the items; "undecided" where too few
        words are known.
    notes
        What was dropped while reading and what looks suspicious, one sentence each.
    """

    name: str
    users: int
    items: int
    interactions: int
    kept_users: int
    first: float
    last: float
    median_history: float
    longest_history: int
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
        least = DataConfig.min_user_interactions
        lines = [
            self.name,
            f"  users         {self.users:,}; median of their interactions:"
            f" {self.median_history:g}, longest history: {self.longest_history:,}",
            f"  items         {self.items:,}; without interactions: {self.without_interactions:,},"
            f" without text: {self.without_text:,}, without images: {self.without_images:,}",
            f"  interactions  {self.interactions:,}, {format_period(self.first, self.last)}",
            f"                repeated user-item pairs: {self.repeated:,}"
            f" (same timestamp: {self.duplicates:,})",
            f"                interactions of one user with equal timestamps: {self.ties:,}",
            f"  training      keeps {self.kept_users:,} of"
            f" {counted(self.users, 'user', ',')}: those with {least} or more different items",
            "                (setting data.min_user_interactions)",
        ]
        if self.domains:
            found = [f"{' '.join(name.split())[:40]} ({n:,})" for name, n in self.domains.items()]
            more = [f"and {len(found) - N_DOMAINS:,} more"] if len(found) > N_DOMAINS else []
            lines.append(f"  domains       {', '.join(found[:N_DOMAINS] + more)}")
        shown = {name: f"{share:.0%}" for name, share in self.languages.items()}
        if shares := [f"{name} {share}" for name, share in shown.items() if share != "0%"]:
            lines.append(f"  languages     {', '.join(shares)}")
        return "\n".join(map(one_line, [*lines, *(f"  note: {note}" for note in self.notes)]))


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
      users         1; median of their interactions: 3, longest history: 3
      items         3; without interactions: 1, without text: 0, without images: 3
      interactions  3, timestamps 1 to 2
                    repeated user-item pairs: 1 (same timestamp: 0)
                    interactions of one user with equal timestamps: 2
      training      keeps 0 of 1 user: those with 5 or more different items
                    (setting data.min_user_interactions)
      languages     undecided 100%
    """
    languages = guess_languages(items)
    # Numbers of users and items are much faster to compare than their ids.
    numbers = {name: pd.factorize(interactions[name])[0] for name in ("user_id", "item_id")}
    table = interactions.assign(**numbers)
    lengths = table["user_id"].value_counts()
    return Summary(
        name=name,
        users=table["user_id"].nunique(),
        items=len(items),
        interactions=len(table),
        kept_users=filter_interactions(table, DataConfig())["user_id"].nunique(),
        first=float(table["timestamp"].min()),
        last=float(table["timestamp"].max()),
        median_history=float(lengths.median()),
        longest_history=int(lengths.max()),
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
