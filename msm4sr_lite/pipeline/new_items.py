"""Items that a dataset has got since a model was trained, and whose features are ready."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.pipeline.features import Features

if TYPE_CHECKING:
    from msm4sr_lite.pipeline.serving import Serving


def add_known_features(model: Serving, data: Dataset, folder: Path) -> tuple[list[str], list[str]]:
    """Let a model recommend new items of a dataset that a feature folder describes.

    Nothing is trained or encoded; ``MSM4SR.add_items`` encodes.

    Parameters
    ----------
    model
        A fitted ``MSM4SR``.
    data
        The dataset as it is now.
    folder
        A feature folder. A folder without features is allowed.

    Returns
    -------
    added, without_features
        Ids of the items that the model knows from now on, and of those that the features lack.
    """
    missing = [item for item in data.items if item not in model.recommender.item_number]
    if not missing or not (folder / "manifest.json").is_file():
        return [], missing
    found = Features.load(folder)
    described, listed = set(found.table.described()), set(found.table.items)
    added = [item for item in missing if item in described]
    if added:
        model.add_features(found.table.for_items(["", *added]), found.keywords)
    return added, [item for item in missing if item not in listed]
