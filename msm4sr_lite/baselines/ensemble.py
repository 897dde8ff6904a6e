"""Score ensembles: a weighted sum of standardised scores of any number of scorers."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable

MAIN = "msm4sr"  # the part that is the neural model, where an ensemble has one
ROUNDING = 1e-9  # scores that differ by less than this share of the largest are equal


class ScoreEnsemble:
    """Weighted sum of the standardised scores of any number of scorers.

    Parameters
    ----------
    parts
        Name -> scorer.
    weights
        Name -> weight, 0 or more; the scores of a part with weight 0 are not computed.
    main, seen
        Name of a part that decides where others know nothing, and whether each item has training
        interactions, ``(items + 1,)``. An item without gets the place among the others that the
        main part gives it. Where no part prefers any item, the main part ranks alone. By default no
        part decides.
    """

    def __init__(
        self, parts: Mapping[str, Any], weights: Mapping[str, float], main: str = "", seen: Any = ()
    ) -> None:
        self.parts, self.main = parts, main
        self.seen = np.array(seen, bool)
        self.order: np.ndarray | None = None
        self.weights = {name: ARGUMENTS["weight"].check(weights[name]) for name in parts}
        if not any(self.weights.values()):
            raise UserError("an ensemble needs a part with a weight above 0")

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum for every item, ``(histories, items + 1)``."""
        return self._score(histories)[1]

    def score_by_part(self, histories: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return the terms of the sum: those of the parts with a weight above 0."""
        return self._score(histories)[0]

    def _score(self, histories: Sequence[np.ndarray]) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the sum, and the sum."""
        order = self.order
        if order is not None:
            histories = [order[history] for history in histories]
        used = [(name, weight) for name, weight in self.weights.items() if weight]
        terms = {n: w * standardise(self.parts[n].score(histories)) for n, w in used}
        total = torch.stack([*terms.values()]).sum(dim=0)
        if self.main:
            self._let_main_decide(terms, total, histories)
        columns = slice(None) if order is None else order
        return {n: term[:, columns] for n, term in terms.items()}, total[:, columns]

    def _let_main_decide(
        self, terms: dict[str, Tensor], total: Tensor, histories: Sequence[np.ndarray]
    ) -> None:
        """Change what is scored of new items, and where no part prefers an item."""
        silent, new = ~total.any(dim=1), ~self.seen
        new[0] = False  # padding
        if not (silent.any() or new.any()):
            return
        scores = standardise(self.parts[self.main].score(histories))
        total[silent] = scores[silent]
        for row, history in enumerate(histories):
            total[row, new] = place(total[row], scores[row], self.seen, new, history)
        for term in terms.values():
            term[:, new] = 0
        own = terms.setdefault(self.main, torch.zeros_like(total))
        own[silent], own[:, new] = total[silent], total[:, new]

    def append(self, table: FeatureTable) -> None:
        """Add new items at the end of the catalogue of every part."""
        for part in self.parts.values():
            part.append(table)
        self.seen = np.pad(self.seen, (0, len(table.items) - 1))

    def select(self, order: np.ndarray) -> "ScoreEnsemble":
        """Return the ensemble whose item number i is item number ``order[i]`` of this one.

        Scores stay the same, since the parts still score their whole catalogue.
        """
        other = copy.copy(self)
        other.order = order
        return other


class Probabilities:
    """Turns a model's scores into the probabilities that it was trained to predict.

    Cosines differ little between items and counts differ much; probabilities are comparable.
    """

    def __init__(self, scorer: Any, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item, 0 for padding."""
        score = getattr(self.scorer, "score_on_device", self.scorer.score)
        scores = score(histories).cpu().double() / self.temperature
        scores[:, 0] = -torch.inf
        return scores.softmax(dim=1)

    def append(self, table: FeatureTable) -> None:
        """Add new items at the end of the catalogue."""
        self.scorer.append(table)


def place(
    total: Tensor, main: Tensor, seen: np.ndarray, new: np.ndarray, history: np.ndarray
) -> Tensor:
    """Return scores for new items, with the places among ``seen`` items that ``main`` gives them.

    Sorted scores of ``main`` are mapped to sorted scores ``total`` of the ensemble by linear
    interpolation. Items of the history take no part, since they are filtered.

    >>> main, total = torch.tensor([0.0, 1, 2, 3, 2.5]), torch.tensor([0.0, 10, 40, 90, 0])
    >>> new = np.array([False, False, False, False, True])  # item 4, between items 2 and 3
    >>> place(total, main, ~new, new, np.array([1]))
    tensor([65.])
    """
    others = seen.copy()
    others[[0, *history]] = False
    if not (new.any() and others.any()):
        return main[new]
    known, scores = main[others].sort().values.numpy(), total[others].sort().values.numpy()
    x = main[new].numpy()
    outside = np.maximum(x - known[-1], 0) + np.minimum(x - known[0], 0)
    return torch.from_numpy(np.interp(x, known, scores) + outside).to(total.dtype)


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
    is_equal = spread <= ROUNDING * of_items.abs().amax(dim=1, keepdim=True)
    return F.pad(torch.where(is_equal, 0.0, of_items / spread), (1, 0))
