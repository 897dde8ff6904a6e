"""Store the oracle's next-item probabilities beside the sample, where the library reads them.

``oracle.npz`` holds, for the history of every user before the last interaction, the probability
of each item being the next. All 2,400 x 800 probabilities would take 7 MB, and hardly any is zero.
They are a product of two small matrices, because a domain has only 96 hidden states: 2 MB.

======================================= ============== =========================================
array                                   shape          content
======================================= ============== =========================================
``user_ids``, ``item_ids``              (U,), (I,)     names of the rows and columns
``history_length``                      (U,) int32     interactions before the last one
``history_hash``                        (U,) uint64    ``history_hash`` of their item ids
``oracle_states``, ``content_states``   (U, S) float32 96 states of each domain, other domain 0
``oracle_weights``, ``content_weights`` (S, I) float32 weight of each item in each state
======================================= ============== =========================================

The probabilities of user u are ``states[u] @ weights``, computed in float64, with 0 for the items
of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_samples.make.catalogue import DOMAINS
from data_samples.make.simulation import World
from data_samples.make.upper_bound import KINDS, hidden_state_model, next_states
from msm4sr_lite.baselines.oracle import history_hash

FILE = "oracle.npz"


def write_oracle(folder: Path, world: World) -> None:
    """Write ``oracle.npz`` into the folder of a sample."""
    np.savez_compressed(folder / FILE, **oracle_arrays(world))  # type: ignore[arg-type]


def oracle_arrays(world: World) -> dict[str, np.ndarray]:
    """Compute the arrays of ``oracle.npz``; the module says what they are."""
    histories = [user.items[:-1] for user in world.users]
    arrays = {
        "user_ids": np.array([user.user_id for user in world.users]),
        "item_ids": np.array([item.item_id for item in world.items]),
        "history_length": np.array([len(history) for history in histories], dtype=np.int32),
        "history_hash": np.array([history_hash(h) for h in histories], dtype=np.uint64),
    }
    for kind in KINDS:
        states, weights = [], []
        for domain in DOMAINS:
            items = world.domain_items(domain)
            column = {item.item_id: i for i, item in enumerate(items)}
            model = hidden_state_model(items, kind)
            numbers = [
                np.array([column[item] for item in user.items[:-1]])
                for user in world.domain_users(domain)
            ]
            states.append(next_states(model, numbers, after_launch=True)[0])
            weights.append(model.state_weights)
        arrays[f"{kind}_states"] = _block_diagonal(states)
        arrays[f"{kind}_weights"] = _block_diagonal(weights)
    return arrays


def _block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Put matrices on the diagonal of a larger one: domains come one after the other."""
    out = np.zeros(np.sum([block.shape for block in blocks], axis=0), dtype=np.float32)
    row = column = 0
    for block in blocks:
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return out
