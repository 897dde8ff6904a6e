"""The exact oracles in the form in which everything is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_samples.make.simulation import World
from data_samples.make.upper_bound import Kind, oracle_scores
from data_samples.make.write import load_world
from msm4sr_lite.sequences import Sequences


class Oracle:
    """The best possible recommender of the sample shop as a ``Scorer``.

    Parameters
    ----------
    world
        The sample shop with its hidden machinery.
    kind
        ``"oracle"`` knows everything, ``"content"`` what pictures and texts show.
    items
        The catalogue in the order of the sequences; ``items[0]`` is padding.
    """

    def __init__(self, world: World, kind: Kind, items: Sequence[str]) -> None:
        self.world, self.kind, self.items = world, kind, list(items)
        place = {item.item_id: column for column, item in enumerate(world.items)}
        self.columns = np.array([place[item] for item in self.items[1:]])

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item to be bought next."""
        names = [[self.items[i] for i in history] for history in histories]
        probability = oracle_scores(self.world, names, self.kind)[:, self.columns]
        return torch.from_numpy(np.pad(probability, ((0, 0), (1, 0))))


def oracles(folder: Path, sequences: Sequences) -> dict[Kind, Oracle]:
    """Return the ceilings of a shop, by kind; none where they are not known.

    They are known for the sample shop, whose customers are simulated, when each customer's last
    purchase tests: the earlier ones were made before the new items came.
    """
    if not (folder / "sample.json").is_file() or sequences.cuts is not None:
        return {}
    world = load_world(folder)
    if world is None:
        return {}
    kinds: tuple[Kind, ...] = ("oracle", "content")
    return {kind: Oracle(world, kind, sequences.items) for kind in kinds}
