"""A dataset in memory: users, items and interactions."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.dataset.sources import match_items_and_interactions, read_folder, read_frames

__all__ = ["Dataset", "Item"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Users, items and interactions. Make one with ``from_folder`` or ``from_frames``.

    Attributes
    ----------
    items
        ``item_id -> Item``, in the order of the item table.
    interactions
        Columns ``user_id``, ``item_id`` (text) and ``timestamp`` (float, seconds where the data
        have dates), sorted by time. Equal times keep their order in the table.
    folder
        The dataset folder; None for a dataset made from data frames.
    image_root
        The folder that image names are relative to.
    name
        A name for messages and tables.
    domain
        The domain that was kept; empty if all were kept.
    notes
        One sentence for each thing that was dropped while reading or looks suspicious.
    """

    items: dict[str, Item]
    interactions: pd.DataFrame
    folder: Path | None = None
    image_root: Path = Path()
    name: str = "dataset"
    domain: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        domain: str = "",
        unknown_items: Literal["error", "drop"] = "error",
    ) -> "Dataset":
        """Read and check a dataset folder.

        Parameters
        ----------
        path
            A folder with ``interactions.csv``, ``items.jsonl`` and images; see
            ``msm4sr_lite.dataset.sources`` for other file types and the columns.
        domain
            Keep only the items of this domain, and their interactions.
        unknown_items
            What to do with interactions whose item is not in the item table: ``"error"`` refuses
            them, ``"drop"`` drops them and adds a note.

        Raises
        ------
        UserError
            If a file cannot be read or a row is wrong; the message names the file and the line.
        """
        folder = Path(path)
        tables = read_folder(folder)
        items, table, notes = match_items_and_interactions(tables, domain, unknown_items)
        return cls(items, table, folder, folder, folder.resolve().name, domain, notes)

    @classmethod
    def from_frames(
        cls,
        interactions: Any,
        items: Any,
        *,
        image_root: str | Path = ".",
        name: str = "frames",
        domain: str = "",
        unknown_items: Literal["error", "drop"] = "error",
    ) -> "Dataset":
        """Make a dataset from two data frames.

        Parameters
        ----------
        interactions
            Columns ``user_id``, ``item_id`` and ``timestamp`` (numbers or dates), in any order.
            A pandas or polars data frame, or any other with a method ``to_pandas`` or the data
            frame interchange protocol.
        items
            Column ``item_id`` and any of ``title``, ``brand``, ``categories``, ``description``,
            ``text``, ``image``, ``images``, ``domain``. Cells may hold lists.
        image_root
            The folder that image names are relative to.
        name
            A name for messages and tables.
        domain, unknown_items
            As in ``from_folder``.

        Raises
        ------
        UserError
            If a row is wrong; the message names the frame and the row, counted from 0.

        Notes
        -----
        Ids of any type are kept as text: ``7`` and ``7.0`` become ``"7"``. If that merges different
        ids of one column, such as ``7`` and ``"7"``, ``notes`` says so.

        Examples
        --------
        >>> import pandas as pd
        >>> interactions = pd.DataFrame(
        ...     {"user_id": ["ann", "bob", "ann"], "item_id": [7, 7, 8], "timestamp": [3, 2, 1]}
        ... )
        >>> items = pd.DataFrame({"item_id": [7, 8], "title": ["Blue mug", "Red bowl"]})
        >>> data = Dataset.from_frames(interactions, items)
        >>> data
        Dataset('frames': 2 users, 2 items, 3 interactions, timestamps 1 to 3)
        >>> data.user_history("ann")
        ['8', '7']
        """
        tables = read_frames(interactions, items)
        items, table, notes = match_items_and_interactions(tables, domain, unknown_items)
        return cls(items, table, None, Path(image_root), name, domain, notes)

    @cached_property
    def users(self) -> list[str]:
        """Ids of all users, in the order of their first interactions."""
        return [str(user) for user in self.interactions["user_id"].unique()]

    def user_history(self, user_id: str) -> list[str]:
        """Return the item ids of a user's interactions, oldest first.

        Raises
        ------
        UserError
            If the user has no interaction.
        """
        if user_id not in self._rows:
            raise UserError(f"{self.name}: unknown user {user_id!r}; the ids are in .users")
        history: list[str] = self.interactions["item_id"].iloc[self._rows[user_id]].tolist()
        return history

    @cached_property
    def _rows(self) -> dict[Any, Any]:
        """Row numbers of each user's interactions, in ascending order."""
        return self.interactions.groupby("user_id", sort=False).indices

    def __repr__(self) -> str:
        name = repr(self.name) + (f", domain {self.domain!r}" if self.domain else "")
        times = self.interactions["timestamp"]
        return (
            f"Dataset({name}: {len(self.users)} users, {len(self.items)} items,"
            f" {len(times)} interactions, {format_period(times.min(), times.max())})"
        )


def summary(dataset: Dataset) -> dict[str, Any]:
    """Count what is in a dataset.

    Returns
    -------
    counts
        ``name`` of the dataset; how many ``users``, ``items`` and ``interactions`` there are;
        ``first`` and ``last``, the smallest and largest timestamp; ``median_history``, the median
        number of interactions per user; ``repeated``, interactions of a user with an item that the
        user had interacted with before; ``ties``, interactions at the same time as another one of
        the same user, whose order is that of the table; the numbers of items
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
    """Format the counts of ``summary`` as a few lines of text.

    Examples
    --------
    >>> import pandas as pd
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


def format_period(first: float, last: float) -> str:
    """Return the period between two timestamps, as dates if they look like seconds since 1970.

    >>> format_period(1.6e9, 1.7e9), format_period(1, 3)
    ('2020-09-13 to 2023-11-14', 'timestamps 1 to 3')
    """
    if not 1e8 <= first <= last < 1e10:  # from 1973 to 2286
        return f"timestamps {first:.15g} to {last:.15g}"
    start, end = (pd.Timestamp(time, unit="s").strftime("%Y-%m-%d") for time in (first, last))
    return f"{start} to {end}"
