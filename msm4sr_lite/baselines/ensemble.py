"""Score ensembles: a weighted sum of standardised scores, with weights chosen on validation."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import NOT_FINITE, Scorer, all_finite, metrics
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.sequences import Sequences

MAIN = "msm4sr"  # the part that is the neural model, where an ensemble has one
MOST_CASES = 5_000  # random validation cases on which weights are chosen
STEPS, BAGS, LEAST = 20, 8, 0.05  # steps of a selection, bootstrap samples, smallest share
POOL = 64  # best items of each part that are kept for a case while weights are chosen
BLOCK, SCORES = 512, 2**21  # histories and scores of a part at once, so that memory stays bounded
LOWEST = -1e300  # less than any sum of standardised scores
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
        return torch.stack([*self.score_by_part(histories).values()]).sum(dim=0)

    def score_by_part(self, histories: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return the terms of the sum: those of the parts with a weight above 0."""
        order = self.order
        if order is not None:
            histories = [order[history] for history in histories]
        used = {name: weight for name, weight in self.weights.items() if weight}
        terms = {n: w * standardise(self.parts[n].score(histories)) for n, w in used.items()}
        if self.main:
            self._let_main_decide(terms, histories)
        return terms if order is None else {n: term[:, order] for n, term in terms.items()}

    def _let_main_decide(self, terms: dict[str, Tensor], histories: Sequence[np.ndarray]) -> None:
        """Change the terms of new items, and of histories for which no part prefers an item."""
        total = torch.stack([*terms.values()]).sum(dim=0)
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


@dataclass(frozen=True)
class Choice:
    """The weights of an ensemble, with NDCG@10 on the cases that they were chosen on.

    Attributes
    ----------
    weights, alone
        Name of a part -> its weight (they add up to 1), and its NDCG@10 alone.
    together
        NDCG@10 of the ensemble; never below the best of ``alone``.
    """

    weights: dict[str, float]
    alone: dict[str, float]
    together: float


def validation_cases(sequences: Sequences) -> tuple[list[np.ndarray], np.ndarray]:
    """Return at most ``MOST_CASES`` random validation cases: histories and targets."""
    histories, targets = sequences.held_out("valid")
    rows = np.random.default_rng(0).permutation(len(targets))[:MOST_CASES]
    return [histories[row] for row in rows], targets[rows]


def choose_weights(
    parts: Mapping[str, Scorer],
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    seen: np.ndarray | None = None,
) -> Choice:
    """Choose weights by NDCG@10, with items of the history filtered.

    Ensemble selection (Caruana et al., 2004) starts with nothing. In each step it adds the part
    with which the sum has the best NDCG@10; a part can be added several times. The weights are the
    shares of all parts after the best step. Bagging repeats this on ``BAGS`` bootstrap samples of
    the cases and takes the mean weights, which fit the chance of single cases less. Shares below
    ``LEAST`` are dropped. If the best part alone has a better NDCG@10 on all cases than the
    ensemble, it gets the whole weight. Each case keeps the ``POOL`` best items of every part. Where
    an item outside this pool could rank before the target, the target counts as missed. For a
    single part this is exact; for an ensemble NDCG@10 is never overestimated.

    Parameters
    ----------
    parts
        Name -> scorer.
    histories, targets
        Validation cases, as ``Sequences.held_out`` returns them.
    seen
        Whether each item has training interactions, ``(items + 1,)``. The others are not ranked,
        and cases with such a target are left out, since weights do not decide their place.

    Raises
    ------
    UserError
        If there is no case, or a score is not finite.
    """
    if seen is not None:
        kept = np.flatnonzero(seen[targets])
        histories, targets = [histories[case] for case in kept.tolist()], targets[kept]
    if not len(targets):
        raise UserError("an ensemble needs validation cases whose target has training interactions")
    case, pools = _pools([*parts.values()], histories, targets, seen)

    def ndcg(pool: np.ndarray) -> np.ndarray:
        """Return NDCG@10 of each case for a weighted sum of pools."""
        scores, target, outside = np.split(pool, [len(case), len(case) + len(targets)])
        ranks = 1 + np.bincount(case[scores >= target[case]], minlength=len(targets))
        ranks[target <= outside] = POOL + 1
        return metrics(ranks, [10])["ndcg@10"]

    def select(drawn: np.ndarray) -> np.ndarray:
        """Return the weights that suit a sample of cases, ``drawn`` times each."""
        added, total, best = np.zeros(len(pools)), np.zeros_like(pools[0]), -1.0
        for _ in range(STEPS):
            values = [ndcg(total + pool) @ drawn for pool in pools]
            best_part = int(np.argmax(values))
            added[best_part] += 1
            total += pools[best_part]
            if values[best_part] > best:
                best, found = values[best_part], added / added.sum()
        return found

    rng, n = np.random.default_rng(0), len(targets)
    samples = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(BAGS)]
    weights = np.mean([*map(select, samples)], axis=0)
    weights[weights < LEAST] = 0
    weights = (weights / weights.sum()).round(4)
    alone = [float(ndcg(pool).mean()) for pool in pools]
    together = float(ndcg(sum(w * pool for w, pool in zip(weights, pools, strict=True))).mean())
    if together < max(alone):
        together, weights = max(alone), np.eye(len(pools))[int(np.argmax(alone))]
    named = dict(zip(parts, weights.tolist(), strict=True))
    return Choice(named, dict(zip(parts, alone, strict=True)), together)


def _pools(
    parts: Sequence[Scorer],
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    seen: np.ndarray | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the case of each item of the pools, and the scores of each part.

    The scores of a part are, one after another: those of the pools' items, that of each case's
    target, and for each case the highest one outside the pool.
    """
    n_items = parts[0].score(histories[:1]).shape[1]
    ranked = torch.ones(n_items, dtype=torch.bool) if seen is None else torch.from_numpy(seen)
    size = max(1, min(BLOCK, SCORES // n_items))
    cases: list[np.ndarray] = []
    found: list[list[tuple[Tensor, ...]]] = [[] for _ in parts]
    for first in range(0, len(targets), size):
        block, target = histories[first : first + size], targets[first : first + size, None]
        column = torch.from_numpy(target)
        scores = [_finite_scores(part, block) for part in parts]
        rivals = ranked.repeat(len(block), 1).scatter_(1, column, False)
        rivals[:, 0] = False
        for row, history in zip(rivals, block, strict=True):
            row[history] = False
        pool = torch.zeros_like(rivals)
        for s in scores:
            best = s.where(rivals, LOWEST).topk(min(POOL, n_items))
            pool.scatter_(1, best.indices, True)
        pool &= rivals
        cases.append(pool.nonzero()[:, 0].numpy() + first)
        for one, s in zip(found, scores, strict=True):
            outside = s.where(rivals & ~pool, LOWEST).amax(dim=1)
            one.append((s[pool], s.gather(1, column)[:, 0], outside))
    return np.concatenate(cases), [
        torch.cat([torch.cat(kind) for kind in zip(*one, strict=True)]).numpy() for one in found
    ]


def _finite_scores(part: Scorer, histories: Sequence[np.ndarray]) -> Tensor:
    """Return standardised scores; refuse scores that are not finite."""
    scores = standardise(part.score(histories))
    if not all_finite(scores):
        raise UserError(NOT_FINITE)
    return scores
