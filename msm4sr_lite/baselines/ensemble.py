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
    seen
        Whether each item has training interactions, ``(items + 1,)``; default: all have. Parts that
        count interactions or know only ids say nothing about the others. For those items the other
        parts share the whole weight.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        weights: Mapping[str, float],
        seen: np.ndarray | None = None,
    ) -> None:
        self.parts, self.seen = parts, seen
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
        if self.seen is not None and not self.seen[1:].all():
            informed = {name for name in used if knows_new_items(self.parts[name])}
            share = sum(used.values()) / (sum(used[name] for name in informed) or 1)
            for name, term in terms.items():
                term[:, ~self.seen] *= share if name in informed else 0
        return terms if order is None else {n: term[:, order] for n, term in terms.items()}

    def append(self, table: FeatureTable) -> None:
        """Add new items at the end of the catalogue of every part."""
        for part in self.parts.values():
            part.append(table)
        if self.seen is not None:
            self.seen = np.pad(self.seen, (0, len(table.items) - 1))

    def select(self, order: np.ndarray) -> "ScoreEnsemble":
        """Return the ensemble whose item number i is item number ``order[i]`` of this one.

        Scores stay the same, since the parts still score their whole catalogue.
        """
        other = copy.copy(self)
        other.order = order
        return other


class Probabilities:
    """Turns a model's scores into probabilities of the next item, for an ensemble.

    The cosines of a model differ little between items, and counts differ much. A softmax with the
    temperature of training makes them comparable: these are the probabilities that the model was
    trained to predict.
    """

    def __init__(self, scorer: Any, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature
        self.knows_new_items = knows_new_items(scorer)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item, 0 for padding."""
        score = getattr(self.scorer, "score_on_device", self.scorer.score)
        scores = score(histories).cpu().double() / self.temperature
        scores[:, 0] = -torch.inf
        return scores.softmax(dim=1)

    def append(self, table: FeatureTable) -> None:
        """Add new items at the end of the catalogue."""
        self.scorer.append(table)


def knows_new_items(scorer: Any) -> bool:
    """Return whether a scorer can tell items without interactions apart, by their content."""
    return bool(getattr(scorer, "knows_new_items", True))


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
    ensemble, it gets the whole weight.

    Every part is scored once. Each case keeps the ``POOL`` best items of every part. Where an item
    outside this pool could rank before the target, the target counts as missed. For a single part
    this is exact; for an ensemble NDCG@10 is never overestimated.

    Parameters
    ----------
    parts
        Name -> scorer.
    histories, targets
        Validation cases, as ``Sequences.held_out`` returns them.
    seen
        As in ``ScoreEnsemble``.

    Raises
    ------
    UserError
        If a score is not finite.
    """
    case, new, pools = _pools([*parts.values()], histories, targets, seen)
    informed = np.array([knows_new_items(part) for part in parts.values()])

    def ndcg(total: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return NDCG@10 of each case for a weighted sum of pools, whose new items it rescales."""
        total[new] *= weights.sum() / (weights[informed].sum() or 1)
        scores, target, *bounds = np.split(total, len(case) + len(targets) * np.arange(3))
        outside = np.maximum(*bounds)
        ranks = 1 + np.bincount(case[scores >= target[case]], minlength=len(targets))
        ranks[target <= outside] = POOL + 1
        return metrics(ranks, [10])["ndcg@10"]

    def select(drawn: np.ndarray) -> np.ndarray:
        """Return the weights that suit a sample of cases, ``drawn`` times each."""
        added, total, best = np.zeros(len(pools)), np.zeros_like(pools[0]), -1.0
        for _ in range(STEPS):
            steps = zip(pools, np.eye(len(pools)), strict=True)
            values = [ndcg(total + pool, added + one) @ drawn for pool, one in steps]
            place = int(np.argmax(values))
            added[place] += 1
            total += pools[place]
            if values[place] > best:
                best, found = values[place], added / added.sum()
        return found

    rng, n = np.random.default_rng(0), len(targets)
    samples = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(BAGS)]
    weights = np.mean([*map(select, samples)], axis=0)
    weights[weights < LEAST] = 0
    weights = (weights / weights.sum()).round(4)
    single = np.eye(len(pools))
    alone = [float(ndcg(1 * p, one).mean()) for p, one in zip(pools, single, strict=True)]
    total = sum(w * pool for w, pool in zip(weights, pools, strict=True))
    together = float(ndcg(total, weights).mean())
    if together < max(alone):
        together, weights = max(alone), single[int(np.argmax(alone))]
    named = dict(zip(parts, weights.tolist(), strict=True))
    return Choice(named, dict(zip(parts, alone, strict=True)), together)


def _pools(
    parts: Sequence[Scorer],
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    seen: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the case of each item of the pools, the places of new items, and all parts' scores.

    The scores of a part are, one after another: those of the pools' items, that of each case's
    target, and for each case the highest one of the items outside the pool: with interactions, and
    without.
    """
    n_items = parts[0].score(histories[:1]).shape[1]
    is_new = torch.zeros(n_items, dtype=torch.bool) if seen is None else ~torch.from_numpy(seen)
    size = max(1, min(BLOCK, SCORES // n_items))
    cases: list[np.ndarray] = []
    new: list[list[Tensor]] = []
    found: list[list[tuple[Tensor, ...]]] = [[] for _ in parts]
    for first in range(0, len(targets), size):
        block, target = histories[first : first + size], targets[first : first + size, None]
        column = torch.from_numpy(target)
        scores = [_finite_scores(part, block, is_new) for part in parts]
        rivals = torch.ones_like(scores[0], dtype=torch.bool).scatter_(1, column, False)
        rivals[:, 0] = False
        for row, history in zip(rivals, block, strict=True):
            row[history] = False
        pool = torch.zeros_like(rivals)
        for s in scores:
            best = s.where(rivals, LOWEST).topk(min(POOL, s.shape[1]))
            pool.scatter_(1, best.indices, True)
        pool &= rivals
        outside = [rivals & ~pool & kind for kind in (~is_new, is_new)]
        cases.append(pool.nonzero()[:, 0].numpy() + first)
        none = torch.zeros(len(target), dtype=torch.bool)
        new.append([is_new.expand_as(pool)[pool], is_new[column[:, 0]], none, ~none])
        for one, s in zip(found, scores, strict=True):
            bounds = [s.where(kind, LOWEST).amax(dim=1) for kind in outside]
            one.append((s[pool], s.gather(1, column)[:, 0], *bounds))
    places = torch.cat([torch.cat(kind) for kind in zip(*new, strict=True)]).nonzero()[:, 0]
    return (
        np.concatenate(cases),
        places.numpy(),
        [torch.cat([torch.cat(k) for k in zip(*one, strict=True)]).numpy() for one in found],
    )


def _finite_scores(part: Scorer, histories: Sequence[np.ndarray], is_new: Tensor) -> Tensor:
    """Return standardised scores, 0 where a part knows nothing; refuse what is not finite."""
    scores = standardise(part.score(histories))
    if not all_finite(scores):
        raise UserError(NOT_FINITE)
    if not knows_new_items(part):
        scores[:, is_new] = 0
    return scores
