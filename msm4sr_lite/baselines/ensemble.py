"""Score ensembles: a weighted sum of standardised scores, with weights chosen on validation."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer, metrics, rank_of

# Weights to try for each part; that of the best part is 1.
GRID = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
BLOCK = 512  # histories scored at once, so that memory stays bounded
ROUNDING = 1e-9  # scores that differ by less than this share of the largest are equal


class ScoreEnsemble:
    """Weighted sum of the standardised scores of any number of scorers.

    Parameters
    ----------
    parts
        Name -> scorer.
    weights
        Name -> weight, 0 or more; the scores of a part with weight 0 are not computed.
    """

    def __init__(self, parts: Mapping[str, Scorer], weights: Mapping[str, float]) -> None:
        self.parts = parts
        self.weights = {name: ARGUMENTS["weight"].check(weights[name]) for name in parts}
        if not any(self.weights.values()):
            raise UserError("an ensemble needs a part with a weight above 0")

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum for every item, ``(histories, items + 1)``."""
        return next(_sums([*self.parts.values()], np.array([[*self.weights.values()]]), histories))


class Probabilities:
    """Turns a model's scores into probabilities of the next item, for an ensemble.

    The cosines of a model differ little between items, and counts differ much. A softmax with the
    temperature of training makes them comparable: these are the probabilities that the model was
    trained to predict.
    """

    def __init__(self, scorer: Scorer, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item, 0 for padding."""
        scores = self.scorer.score(histories).double() / self.temperature
        scores[:, 0] = -torch.inf
        return scores.softmax(dim=1)


def standardise(scores: Tensor) -> Tensor:
    """Divide scores by their standard deviation over the items of each history, in float64.

    The ranking is that of z-scores. Their subtraction of the mean would change no rank, but would
    round small probabilities away. A history whose scores are all equal has no preference: 0.
    Column 0, padding, takes no part and becomes 0.

    >>> standardise(torch.tensor([[9.0, 1.0, 3.0], [9.0, 5.0, 5.0]]))
    tensor([[0., 1., 3.],
            [0., 0., 0.]], dtype=torch.float64)
    """
    of_items = scores[:, 1:].double()
    spread = of_items.std(dim=1, correction=0, keepdim=True)
    is_real = spread > ROUNDING * of_items.abs().amax(dim=1, keepdim=True)
    return F.pad(torch.where(is_real, of_items / spread, 0.0), (1, 0))


def choose_weights(
    parts: Mapping[str, Scorer], histories: Sequence[np.ndarray], targets: np.ndarray
) -> dict[str, float]:
    """Return weights with the best NDCG@10, with items of the history filtered.

    The search starts from the best single part and changes one weight at a time, only for the
    better. So the ensemble is never worse than its best part on these test cases.

    Parameters
    ----------
    parts
        Name -> scorer.
    histories, targets
        Validation cases, as ``Sequences.held_out`` returns them.
    """

    def quality(tried: np.ndarray) -> np.ndarray:
        """Return NDCG@10 for each row of weights."""
        ranks = np.empty((len(tried), len(targets)), dtype=np.int64)
        for first in range(0, len(targets), BLOCK):
            rows = slice(first, first + BLOCK)
            for place, scores in enumerate(_sums([*parts.values()], tried, histories[rows])):
                allowed = torch.ones_like(scores, dtype=torch.bool)
                allowed[:, 0] = False
                for row, history in zip(allowed, histories[rows], strict=True):
                    row[history] = False
                ranks[place, rows] = rank_of(scores, torch.as_tensor(targets[rows]), allowed)
        return metrics(ranks, [10])["ndcg@10"].mean(axis=1)

    tried = np.eye(len(parts))
    values = quality(tried)
    best = int(values.argmax())
    weights, value, before = tried[best], values[best], -1.0
    while value > before:
        before = value
        for place in [place for place in range(len(parts)) if place != best]:
            tried = np.tile(weights, (len(GRID), 1))
            tried[:, place] = GRID
            values = quality(tried)
            if values.max() > value:
                weights, value = tried[values.argmax()], values.max()
    return dict(zip(parts, weights.tolist(), strict=True))


def _sums(
    parts: Sequence[Scorer], tried: np.ndarray, histories: Sequence[np.ndarray]
) -> Iterator[Tensor]:
    """Yield the weighted sum of scores for each row of weights; each part is scored once."""
    used = [place for place in range(len(parts)) if tried[:, place].any()]
    found = {place: standardise(parts[place].score(histories)) for place in used}
    for weights in tried:
        terms = [weights[place] * found[place] for place in used if weights[place]]
        yield torch.stack(terms).sum(dim=0)
