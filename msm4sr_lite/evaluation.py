"""Full-ranking evaluation: every item of the catalogue competes, ties count against the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from msm4sr_lite.fast.distributed import processes, shares

CUTOFFS = (5, 10, 20, 50)
CELLS = 2**21  # scores held at once: small enough to stay near the processor
FEWEST = 32  # customers scored at once, however big the catalogue


@runtime_checkable
class Scorer(Protocol):
    """What can be evaluated: the model and every baseline."""

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return one score per item for each history, ``(histories, items + 1)``.

        Column i belongs to item number i; column 0 is padding and is ignored.
        """
        ...


def target_ranks(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    filter_seen: bool = False,
    candidates: np.ndarray | None = None,
    batch_size: int = 512,
) -> np.ndarray:
    """Return the 1-based rank of each target among all items.

    Items with the same score as the target rank before it; a score that is not a number is the
    worst. The ranks are counted, batch after batch, so that memory stays bounded. Under torchrun
    all processes call this; each ranks its share of the customers and gets the ranks of all.

    Parameters
    ----------
    scorer
        The model or a baseline.
    histories, targets
        What each customer bought, and the item to be found.
    mask_history
        Whether the items of a history (other than the target) are no candidates.
    candidates
        Item numbers that compete with the target; None for all items.
    batch_size
        Most customers at once; fewer if the catalogue is big.
    """
    mine = shares(len(histories))[processes()[0]]
    ranks = torch.zeros(len(histories), dtype=torch.int64)
    score = getattr(scorer, "fast_scores", scorer.score)
    start, size = mine.start, min(batch_size, FEWEST)
    while start < mine.stop:
        batch = histories[start : min(start + size, mine.stop)]
        scores = score(batch)
        target = torch.from_numpy(targets[start : start + len(batch), None]).to(scores.device)
        own = scores.gather(1, target)
        better = scores >= own.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        better |= own.isnan()  # everything is at least as good, other such scores too
        if candidates is not None:
            allowed = better.new_zeros(better.shape[1])
            allowed[torch.from_numpy(candidates).to(scores.device)] = True
            better &= allowed
        if filter_seen:
            rows = np.repeat(np.arange(len(batch)), [len(history) for history in batch])
            better[rows, np.concatenate(batch)] = False
        better[:, 0] = False  # padding
        better.scatter_(1, target, False)
        ranks[start : start + len(batch)] = 1 + better.sum(dim=1).cpu()
        start += len(batch)
        size = min(batch_size, max(FEWEST, CELLS // scores.shape[1]))
    if processes()[1] > 1:
        ranks = ranks.cuda() if dist.get_backend() == "nccl" else ranks
        dist.all_reduce(ranks)
    return ranks.cpu().numpy()


def metrics(ranks: np.ndarray, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, np.ndarray]:
    """Return Recall, NDCG and MRR for every customer.

    With one target per customer Recall@K is 1 if rank <= K, NDCG@K = 1 / log2(rank + 1) and
    MRR@K = 1 / rank there, 0 elsewhere.

    >>> {name: values.round(3).tolist() for name, values in metrics(np.array([1, 3]), [2]).items()}
    {'recall@2': [1.0, 0.0], 'ndcg@2': [1.0, 0.0], 'mrr@2': [1.0, 0.0]}
    """
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        hit = (ranks <= k).astype(np.float64)
        values[f"recall@{k}"] = hit
        values[f"ndcg@{k}"] = hit / np.log2(ranks + 1)
        values[f"mrr@{k}"] = hit / ranks
    return values


def summarise(
    values: dict[str, np.ndarray],
    users: np.ndarray | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, dict[str, float]]:
    """Return the mean of every metric with its 95 % bootstrap interval over customers.

    Parameters
    ----------
    values
        For each metric the value of every case, ``(cases,)``.
    customers
        Whose case it is, ``(cases,)``: a customer is drawn with all their cases, which are no
        independent ones. None: every case is another customer's.
    seed, resamples
        Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    names = list(values)
    table = np.stack([values[name] for name in names], axis=1)
    cases = np.ones(len(table))
    if users is not None:
        owner = np.unique(users, return_inverse=True)[1]
        table = np.stack([np.bincount(owner, column) for column in table.T], axis=1)
        cases = np.bincount(owner).astype(np.float64)
    size = len(table)
    # One resample at a time: a million customers fit.
    drawn = (rng.multinomial(size, np.full(size, 1 / size)) for _ in range(resamples))
    means = np.stack([row @ table / (row @ cases) for row in drawn])
    middle = [values[name].mean() for name in names]
    rows = np.stack([middle, *np.quantile(means, [0.025, 0.975], axis=0)], axis=1).round(6)
    keys = ("value", "low", "high")
    return {
        n: dict(zip(keys, row, strict=True)) for n, row in zip(names, rows.tolist(), strict=True)
    }


def evaluate(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    users: np.ndarray | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Rank, measure and summarise in one call; options as in ``target_ranks``."""
    return summarise(metrics(target_ranks(scorer, histories, targets, **options)), users)
