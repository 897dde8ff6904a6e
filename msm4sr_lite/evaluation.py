"""Full-ranking evaluation: every item of the catalogue competes, ties count against the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import M2SE, Views, cosine_scores, take, unit_vectors
from msm4sr_lite.features import FeatureTable
from msm4sr_lite.sequences import pad, processes, shares

CUTOFFS = (5, 10, 20, 50)
CELLS = 2**21  # scores held at once: small enough to stay near the processor
FEWEST = 32  # customers scored at once, however big the catalogue
TOGETHER = 64  # histories in one call of the encoder
PART = 2**15  # items pooled and adapted in one call


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
            numbers = torch.arange(len(table.items), device=device)
            self.items = model.with_ids(self._content(table, numbers), numbers)
            self.units = unit_vectors(self.items)

    def _content(self, table: FeatureTable, numbers: Tensor) -> Views:
        """Return the vectors of a table's entries from text and picture, without ids."""
        if table.width != (width := self.model.config.feature_dim):
            raise UserError(
                f"vectors of width {table.width}, but the model was trained on width {width};"
                f" use the features it was trained with"
            )
        there = table.to(self.device)
        parts = [self.model.item_vectors(there, part) for part in numbers.split(PART)]
        return {view: torch.cat([part[view] for part in parts]) for view in self.model.views}

    @torch.inference_mode()
    def append(self, table: FeatureTable) -> None:
        """Put new items behind the catalogue: entry i of ``table`` gets the i-th next number.

        Nothing is trained and no older vector is computed again. In a model with ids the new items
        have none, so their texts and pictures alone speak for them. (The mean of the learnt ids in
        its place was no better on the sample: NDCG@10 on new items 0.048, and 0.049 without.)
        """
        content = self._content(table, torch.arange(1, len(table.items), device=self.device))
        self.items = {view: torch.cat([z, content[view]]) for view, z in self.items.items()}
        self.units = torch.cat([self.units, unit_vectors(content)])

    @torch.inference_mode()
    def parts(self, histories: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return each view's term of the score for all items."""
        items = pad(histories, self.model.config.max_len).to(self.device)
        states = self.model.encode(take(self.items, items))
        last = torch.tensor([min(len(h), items.shape[1]) - 1 for h in histories])
        rows = torch.arange(len(histories))
        ends = {view: hidden[rows, last] for view, hidden in states.items()}
        return {view: cosine_scores(h, self.items[view]).cpu() for view, h in ends.items()}

    def scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Score all items for the newest items of each history."""
        return torch.stack(list(self.parts(histories).values())).sum(dim=0)

    @torch.inference_mode()
    def quick_scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return ``scores`` up to rounding, from one matrix product and without leaving the device.

        Histories of about one length are encoded together, and the last layer only at their ends.
        """
        longest = self.model.config.max_len
        last = np.array([min(len(history), longest) - 1 for history in histories])
        units = torch.empty(len(histories), self.units.shape[1], device=self.device)
        for group in np.array_split(np.argsort(last), -(-len(histories) // TOGETHER)):
            items = pad([histories[i] for i in group], longest).to(self.device)
            ends = torch.from_numpy(last[group, None]).to(self.device)
            states = self.model.encode(take(self.items, items), ends)
            units[torch.from_numpy(group).to(self.device)] = unit_vectors(states).squeeze(1)
        return units @ self.units.T


def target_ranks(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    mask_history: bool = False,
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
    score = getattr(scorer, "quick_scores", scorer.scores)
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
        if mask_history:
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
    customers: np.ndarray | None = None,
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
    if customers is not None:
        owner = np.unique(customers, return_inverse=True)[1]
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
    customers: np.ndarray | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Rank, measure and summarise in one call; options as in ``target_ranks``."""
    return summarise(metrics(target_ranks(scorer, histories, targets, **options)), customers)
