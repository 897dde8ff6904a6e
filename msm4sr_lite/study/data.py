"""What every contender of a study is given: the same shop, split, features."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from msm4sr_lite.baselines import BaselineData, count_interactions
from msm4sr_lite.config import Config
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.sequences import Sequences


@dataclass(frozen=True)
class Data:
    """A shop made ready.

    Attributes
    ----------
    shop
        For the items' texts.
    sequences
        Who bought what, and which purchases are held out.
    table
        Features, entry i for item number i.
    device
        Where to compute.
    keywords
        ``item_id ->`` the words of each picture, where they are known.
    whole
        All that can be pre-trained on (``whole_shop``), where that is more than ``sequences``.
    """

    dataset: Dataset
    sequences: Sequences
    table: FeatureTable
    device: str = "cpu"
    keywords: dict[str, list[list[str]]] = field(default_factory=dict)
    whole: Data | None = None

    @cached_property
    def facts(self) -> list[str]:
        """What a result depends on besides settings and seed: hashes of purchases and features."""
        return [self.sequences.fingerprint(), str(self.table.manifest.get("content", ""))]

    @cached_property
    def bought(self) -> np.ndarray:
        """How often each item occurs in the training sequences, ``(items + 1,)``."""
        return count_interactions(self.sequences)

    @cached_property
    def baseline_data(self) -> BaselineData:
        """What baselines are fitted on."""
        return BaselineData(self.sequences, self.table, self.texts())

    def texts(self) -> list[str]:
        """Return every item's text as one string, that of the padding being empty."""
        found = [self.dataset.items.get(item) for item in self.sequences.items]
        return [" ".join(item_sentences(item)) if item else "" for item in found]


def described_items(dataset: Dataset, table: FeatureTable) -> list[str]:
    """Return the ids of a shop's items that have a slot, in the order of the shop."""
    described = set(table.described())
    return [item for item in dataset.items if item in described]


def changed(config: Config, settings: dict[str, Any]) -> Config:
    """Return ``config`` with settings replaced that are named ``part.setting``.

    >>> changed(Config(), {"finetune.lr": 0.001}).finetune.lr
    0.001
    """
    for name, value in settings.items():
        part, setting = name.split(".")
        new = replace(getattr(config, part), **{setting: value})
        config = replace(config, **{part: new})
    return config
