"""A scorer that exchanges the text and image embeddings at some positions of a history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.encoder import Modalities, gather_rows
from msm4sr_lite.mixup import complementary_mixup
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import pad
from msm4sr_lite.similarity import cosine_scores


class SwappingScorer(ModelScorer):
    """A scorer for one history, in which text and image are exchanged at some positions.

    Parameters
    ----------
    scorer
        Has the model and its items.
    swaps
        Whether to exchange, for each position of the history.
    """

    def __init__(self, scorer: ModelScorer, swaps: Sequence[bool]) -> None:
        self.__dict__.update(scorer.__dict__)
        self._swaps = torch.tensor([swaps], device=scorer.device)

    @torch.inference_mode()
    def score_by_modality(self, histories: Sequence[np.ndarray]) -> Modalities:
        """Return each modality's term of the score for all items."""
        items = pad(histories, self.model.config.max_len).to(self.device)
        read = gather_rows(self.items, items)
        swaps = self._swaps[:, -items.shape[1] :]
        text, image = complementary_mixup(read["text"], read["image"], swaps)
        states = self.model.encode({"text": text, "image": image})
        return {
            modality: cosine_scores(hidden[:, -1], self.items[modality]).cpu()
            for modality, hidden in states.items()
        }

    def score_on_device(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the scores of all items."""
        return self.score(histories)
