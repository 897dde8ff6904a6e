"""Score many histories at once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.encoder import concat_normalized, gather_rows
from msm4sr_lite.fast.encoder import encode_at
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import pad

# Number of histories in one encoder call; they have similar lengths. Pays from two groups on.
HISTORIES_TOGETHER = 64


@torch.inference_mode()
def score_on_device(scorer: ModelScorer, histories: Sequence[np.ndarray]) -> Tensor:
    """Compute ``ModelScorer.score`` with one matrix product on the device.

    Histories of similar length are encoded together. The last layer is computed only at their last
    positions. Measured with 10,000 items: 14 times as many users per second as with embeddings
    computed anew for every batch, and 40 times as many with the ranking of ``fast.evaluation``.
    """
    longest = scorer.model.config.max_len
    last = np.array([min(len(history), longest) - 1 for history in histories])
    h = torch.empty(len(histories), scorer.units.shape[1], device=scorer.device)
    for group in np.array_split(np.argsort(last), -(-len(histories) // HISTORIES_TOGETHER)):
        items = pad([histories[i] for i in group], longest).to(scorer.device)
        ends = torch.from_numpy(last[group, None]).to(scorer.device)
        states = encode_at(scorer.model, gather_rows(scorer.items, items), ends)
        h[torch.from_numpy(group).to(scorer.device)] = concat_normalized(states).squeeze(1)
    return h @ scorer.units.T
