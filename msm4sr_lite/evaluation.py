"""Full-ranking evaluation: every item of the catalogue competes, ties count against the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.encoder import M2SE, cosine_scores, take
from msm4sr_lite.features import FeatureTable
from msm4sr_lite.sequences import pad

CUTOFFS = (5, 10, 20, 50)


@runtime_checkable
class Scorer(Protocol):
    """What can be evaluated: the model and every baseline."""

    def scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return one score per item for each history, ``(histories, items + 1)``.

        Column i belongs to item number i; column 0 is padding and is ignored.
        """
        ...


class ModelScorer:
    """M²SE as a scorer: the catalogue's vectors are computed once and kept.

    Parameters
    ----------
    model
        Pre-trained or fine-tuned.
    table
        Features of the catalogue, entry i for item number i.
    device
        Where to compute.
    """

    def __init__(self, model: M2SE, table: FeatureTable, device: str = "cpu") -> None:
        self.model, self.device = model.to(device).eval(), device
        with torch.inference_mode():
            everything = torch.arange(len(table.items), device=device)
            vectors = model.item_vectors(table.to(device), everything)
            self.items = model.with_ids(vectors, everything)

    @torch.inference_mode()
    def parts(self, histories: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return each view's term of the score for all items."""
        items = pad(histories, self.model.config.max_len).to(self.device)
        states = self.model.encode(take(self.items, items))
        last = torch.tensor([min(len(h), items.shape[1]) - 1 for h in histories])
        rows = torch.arange(len(histories))
        return {
            view: cosine_scores(hidden[rows, last], self.items[view]).cpu()
            for view, hidden in states.items()
        }

    def scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Score all items for the newest items of each history."""
        return torch.stack(list(self.parts(histories).values())).sum(dim=0)


def target_ranks(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    mask_history: bool = False,
    batch_size: int = 512,
) -> np.ndarray:
    """Return the 1-based rank of each target among all items.

    Items with the same score as the target rank before it. With ``mask_history`` the items of a
    history (other than the target) are no candidates.
    """
    ranks = np.empty(len(histories), dtype=np.int64)
    for start in range(0, len(histories), batch_size):
        batch = histories[start : start + batch_size]
        target = torch.from_numpy(targets[start : start + batch_size])
        # A copy, in which a score that is not a number counts as the worst.
        scores = (
            scorer.scores(batch)
            .double()
            .nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        )
        own = scores.gather(1, target[:, None])
        if mask_history:
            for row, history in enumerate(batch):
                scores[row, torch.from_numpy(history)] = -torch.inf
        scores.scatter_(1, target[:, None], torch.inf)  # the target itself: counted once
        ranks[start : start + len(batch)] = (scores[:, 1:] >= own).sum(dim=1).numpy()
    return ranks


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
    values: dict[str, np.ndarray], *, seed: int = 0, resamples: int = 1000
) -> dict[str, dict[str, float]]:
    """Return the mean of every metric with its 95 % bootstrap interval over customers."""
    size = len(next(iter(values.values())))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(size, np.full(size, 1 / size), size=resamples)
    names = list(values)
    means = counts @ np.stack([values[name] for name in names], axis=1) / size
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return {
        name: {
            "value": round(float(values[name].mean()), 6),
            "low": round(float(low[i]), 6),
            "high": round(float(high[i]), 6),
        }
        for i, name in enumerate(names)
    }


def evaluate(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    mask_history: bool = False,
) -> dict[str, Any]:
    """Rank, measure and summarise in one call."""
    return summarise(metrics(target_ranks(scorer, histories, targets, mask_history=mask_history)))
