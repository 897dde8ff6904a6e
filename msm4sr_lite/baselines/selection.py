"""Weights of a score ensemble, chosen on validation cases by ensemble selection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.baselines.ensemble import standardise
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import NOT_FINITE, Scorer, all_finite, metrics
from msm4sr_lite.sequences import Sequences

MOST_CASES = 5_000  # random validation cases on which weights are chosen
STEPS, BAGS, LEAST = 20, 8, 0.05  # steps of a selection, bootstrap samples, smallest share
POOL = 64  # best items of each part that are kept for a case while weights are chosen
BLOCK, SCORES = 512, 2**21  # histories and scores of a part at once, so that memory stays bounded
LOWEST = -1e300  # less than any sum of standardised scores


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
        scores = [standardise(part.score(block)) for part in parts]
        if not all(map(all_finite, scores)):
            raise UserError(NOT_FINITE)
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
