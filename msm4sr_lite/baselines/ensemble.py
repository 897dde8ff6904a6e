"""Score ensembles: the scores of two models added, on a common scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.evaluation import Scorer


class ScoreEnsemble:
    """The weighted sum of two scorers, each scaled to a highest score of 1 for every history.

    Parameters
    ----------
    first, second
        Scorers whose best scores are positive.
    weight
        Weight of the second scorer; that of the first is 1.
    """

    def __init__(self, first: Scorer, second: Scorer, weight: float) -> None:
        self.first, self.second, self.weight = first, second, weight

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the first scorer's scores plus ``weight`` times the second's."""
        one, two = (
            scores / scores.amax(dim=1, keepdim=True).clamp_min(1e-12)
            for scores in (self.first.score(histories), self.second.score(histories))
        )
        return one + self.weight * two


class Probabilities:
    """A model's scores as probabilities of the next item, for use in an ensemble.

    A softmax with the temperature of training: likely items stand out as clearly as the model was
    trained to predict. The cosines themselves differ little between items.
    """

    def __init__(self, scorer: Scorer, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item, 0 for padding."""
        scores = self.scorer.score(histories) / self.temperature
        scores[:, 0] = -torch.inf
        return scores.double().softmax(dim=1)
