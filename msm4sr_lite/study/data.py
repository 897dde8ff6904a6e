"""What all models of a study are given: the same dataset, split and features."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from msm4sr_lite.baselines import BaselineData
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.fingerprint import fingerprint_sequences


@dataclass(frozen=True)
class StudyData:
    """A dataset, filtered and split, with its features.

    Attributes
    ----------
    dataset
        For the texts and images of the items.
    sequences
        Filtered interactions and which of them are held out.
    table
        Features; entry i belongs to item number i of ``sequences``.
    device
        Where to compute.
    keywords
        ``item_id ->`` the keywords of each image, if they are known.
    whole
        All that can be pre-trained on (``whole_sequences``), if that is more than ``sequences``.
    """

    dataset: Dataset
    sequences: Sequences
    table: FeatureTable
    device: str = "cpu"
    keywords: dict[str, list[list[str]]] = field(default_factory=dict)
    whole: StudyData | None = None

    @cached_property
    def fingerprints(self) -> list[str]:
        """Fingerprints of interactions and features, on which all results depend."""
        return [fingerprint_sequences(self.sequences), str(self.table.manifest.get("content", ""))]

    @cached_property
    def interaction_counts(self) -> np.ndarray:
        """How often each item occurs in the training sequences, ``(items + 1,)``."""
        return self.sequences.item_counts()

    @cached_property
    def baseline_data(self) -> BaselineData:
        """What baselines are fitted on."""
        return BaselineData(self.sequences, self.table, self.texts())

    def texts(self) -> list[str]:
        """Return the text of each item as one string, an empty one for padding."""
        found = [self.dataset.items.get(item) for item in self.sequences.items]
        return [" ".join(item_sentences(item)) if item else "" for item in found]


def prepare(
    dataset: Dataset, table: FeatureTable, config: DataConfig, device: str = "cpu"
) -> StudyData:
    """Filter and split a dataset and order its features accordingly.

    Raises
    ------
    UserError
        If items have no entry in the table, or the filters leave no user.
    """
    if unread := sorted(set(dataset.items) - set(table.items)):
        raise UserError(
            f"{len(unread)} items of the dataset have no features (the first is {unread[0]!r});"
            f" run `msm4sr features` on this dataset"
        )
    items = described_items(dataset, table)
    if missing := len(dataset.items) - len(items):
        say(f"note: {missing} items without usable text or image are dropped")
    sequences = build_sequences(dataset.interactions, items, config)
    return StudyData(dataset, sequences, table.for_items(sequences.items), device)


def described_items(dataset: Dataset, table: FeatureTable) -> list[str]:
    """Return the ids of the items that have features, in the order of the dataset."""
    described = set(table.described())
    return [item for item in dataset.items if item in described]
