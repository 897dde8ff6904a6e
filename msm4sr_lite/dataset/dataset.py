"""A dataset in memory: users, items and interactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.dataset.sources import match_items_and_interactions, read_folder, read_frames
from msm4sr_lite.dataset.summary import Summary, summarise
from msm4sr_lite.dataset.times import format_period
from msm4sr_lite.printable import counted

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
    columns
        The renames with which it was read.
    """

    items: dict[str, Item]
    interactions: pd.DataFrame
    folder: Path | None = None
    image_root: Path = Path()
    name: str = "dataset"
    domain: str = ""
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        domain: str = "",
        unknown_items: Literal["error", "drop"] = "error",
        columns: Mapping[str, str] | None = None,
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
        columns
            Renames, as in pandas: name in the table -> name used here, such as
            ``{"visitor": "user_id"}``. Differences in case, spaces and hyphens need no rename.

        Raises
        ------
        UserError
            If a file cannot be read or a row is wrong; the message names the file and the line.
        """
        folder = Path(path)
        tables = read_folder(folder, columns)
        items, table, notes = match_items_and_interactions(tables, domain, unknown_items)
        name, renames = folder.resolve().name, dict(columns or {})
        return cls(items, table, folder, folder, name, domain, notes, renames)

    @classmethod
    def from_frames(
        cls,
        interactions: Any,
        items: Any = None,
        *,
        image_root: str | Path = ".",
        name: str = "frames",
        domain: str = "",
        unknown_items: Literal["error", "drop"] = "error",
        columns: Mapping[str, str] | None = None,
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
            ``text``, ``image``, ``images``, ``domain``. Cells may hold lists. None: items are the
            ids of the interactions; only models of item ids can be trained.
        image_root
            The folder that image names are relative to.
        name
            A name for messages and tables.
        domain, unknown_items, columns
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
        tables = read_frames(interactions, items, columns)
        items, table, notes = match_items_and_interactions(tables, domain, unknown_items)
        renames = dict(columns or {})
        return cls(items, table, None, Path(image_root), name, domain, notes, renames)

    @property
    def has_content(self) -> bool:
        """Whether any item has a text or an image."""
        return any(item.has_content for item in self.items.values())

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

    def summary(self) -> Summary:
        """Count what is in the dataset; print it for one screen of text."""
        return summarise(self.name, self.items.values(), self.interactions, self.notes)

    def __repr__(self) -> str:
        name = repr(self.name) + (f", domain {self.domain!r}" if self.domain else "")
        times = self.interactions["timestamp"]
        return (
            f"Dataset({name}: {counted(len(self.users), 'user')},"
            f" {counted(len(self.items), 'item')}, {counted(len(times), 'interaction')},"
            f" {format_period(times.min(), times.max())})"
        )
