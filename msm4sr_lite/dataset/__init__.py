"""Datasets: users, items and interactions, read from folders or data frames and checked.

::

    cells         one cell: ids, numbers, texts, lists of texts
    lines         the lines of a text file
    tables        one reader for csv, tsv, JSON lines and parquet files
    items         Item, and how a row of the item table becomes one
    interactions  the checked table of users, items and timestamps
    sources       a dataset folder or data frames, and whether items and interactions match
    dataset       Dataset
    summary       what is in a dataset, on one screen
    split         filter interactions, hold some out, group them by user
    convert/      public datasets into dataset folders
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.dataset.items import Item
    from msm4sr_lite.dataset.split import build_sequences

__all__ = ["Dataset", "Item", "build_sequences"]
_HOME = {"Dataset": "dataset", "Item": "items", "build_sequences": "split"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: converters need neither pandas nor torch.
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
