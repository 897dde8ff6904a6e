"""A training step beside the same model with one row per target, and beside its bare products.

::

    python -m benchmarks.training                           # pre-training, 10,000 items
    python -m benchmarks.training --stage finetune --targets 1024 16384
    python -m benchmarks.training --text-slots 10 --image-slots 3 --width 384

All are measured in turn in one run, in processor seconds on one thread. ``ratio`` is targets per
processor second over those of ``prefix rows, plain``. A target counts if its loss term is computed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import made_up, prefix_rows
from benchmarks.measure import Row, peak_memory, report, side_by_side
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast.encoder import POOL_ITEMS
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.sequences import Batch, Sequences, training_batches

WARM_UP = 10  # steps until a compiled one is no longer compiled anew for another size


class Steps:
    """Training steps, one per call, that go through the shop for ever."""

    def __init__(
        self,
        loss: Callable[[M2SE, Batch, torch.Generator], Tensor],
        model: M2SE,
        dataset: Sequences,
        targets: int,
        rows: Any = "all_positions",
        anchors: int = 0,
    ) -> None:
        self.loss, self.model, self.dice = loss, model.train(), torch.Generator().manual_seed(0)
        self.optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        epoch = (training_batches(dataset, 50, targets, self.dice, rows, anchors) for _ in count())
        self.batches: Iterator[Batch] = chain.from_iterable(epoch)
        self.targets: list[int] = []
        self.unique: list[int] = []

    def __call__(self) -> None:
        batch = self.batch = next(self.batches)
        self.targets.append(int((batch.targets > 0).sum()))
        self.unique.append(len(torch.cat([batch.items, batch.targets]).unique()))
        self.optimizer.zero_grad()
        self.loss(self.model, batch, self.dice).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()


def library(stage: str, table: FeatureTable, **options: Any) -> Any:
    """Return the library's loss as a function of model, batch, dice."""
    if stage == "pretrain":
        before = PretrainConfig(**options)
        return lambda model, batch, dice: pretraining_loss(model, table, batch, before, dice)[0]
    after = FinetuneConfig(**options)
    return lambda model, batch, dice: finetuning_loss(model, table, batch, after, dice)[0]


def bare_products(stage: str, model: M2SE, table: FeatureTable, batch: Batch) -> Callable[[], None]:
    """Return a function that does the matrix products of a step and nothing else.

    Items once, tokens without padding, forward and the gradients that are needed; all sequences
    as if of one length, that with as many pairs of tokens.
    """
    c = model.config
    items, lengths = len(table.items), (batch.items > 0).sum(dim=1).float()
    if stage == "pretrain":
        items = len(torch.cat([batch.items, batch.targets]).unique())
    tokens, targets = 2 * int(lengths.sum()), int((batch.targets > 0).sum())
    maps = [(items, c.feature_dim, (c.experts * c.dim + c.experts))] * 2
    maps += [(tokens, c.dim, 4 * c.dim + c.ffn_dim), (tokens, c.ffn_dim, c.dim)] * c.layers
    wide = items if stage == "finetune" else targets
    maps += [(targets, c.dim, wide)] * (2 if stage == "finetune" else 5)
    work = [product(1, n, k, m) for n, k, m in maps]
    # Attention: queries by keys, weights by values.
    time, heads = round(float(lengths.square().mean().sqrt())), 2 * len(lengths) * c.heads
    width = c.dim // c.heads
    work += [product(heads, time, width, time), product(heads, time, time, width)] * c.layers
    # Items: energies of slots, slots by weights, experts by gates. Slots themselves learn nothing.
    for view in (table.text, table.image):
        slots = int(view.counts.max())
        for some in torch.arange(items).split(POOL_ITEMS):
            n = len(some)
            work.append(product(1, n * slots, c.feature_dim, 1, left=False))
            work.append(product(n, 1, slots, c.feature_dim, right=False))
            work.append(product(n, 1, c.experts, c.dim))

    def run() -> None:
        for part in work:
            part()

    return run


def product(
    count: int, n: int, k: int, m: int, left: bool = True, right: bool = True
) -> Callable[[], None]:
    """Return a function: products of ``count`` pairs of matrices, n x k by k x m, and gradients.

    ``left`` and ``right`` tell which of both has a gradient.
    """

    def run() -> None:
        x, w, y, dx, dw = _buffers(count, n, k, m)
        torch.bmm(x, w, out=y)
        if left:
            torch.bmm(y, w.mT, out=dx)
        if right:
            torch.bmm(x.mT, y, out=dw)

    return run


@cache
def _buffers(count: int, n: int, k: int, m: int) -> tuple[Tensor, ...]:
    shapes = (n, k), (k, m), (n, m), (n, k), (k, m)
    return tuple(torch.randn(count, *shape) for shape in shapes)


def measure(args: argparse.Namespace) -> list[Row]:
    """Return one row per implementation and number of targets."""
    dataset = made_up.sequences(args.users, args.items, args.mean_length)
    table = made_up.table(args.items, args.text_slots, args.image_slots, args.width)
    ids = args.items if args.stage == "finetune" else 0
    reference = prefix_rows.pretraining if args.stage == "pretrain" else prefix_rows.finetuning
    config = PretrainConfig() if args.stage == "pretrain" else FinetuneConfig()

    def steps(loss: Any, targets: int, rows: Any = "all_positions") -> Steps:
        torch.manual_seed(0)
        model = M2SE(ModelConfig(feature_dim=args.width, n_items=ids))
        return Steps(loss, model, dataset, targets, rows)

    works: dict[str, Any] = {}
    for name, careful in (("prefix rows, plain", False), ("prefix rows, careful", True)):
        if not (args.skip_plain and not careful):
            loss = lambda m, b, _, c=careful: reference(m, table, b, config, c)  # noqa: E731
            works[name] = steps(loss, args.targets[0], "prefix")
    for targets in args.targets:
        works[f"msm4sr_lite, {targets}"] = steps(library(args.stage, table), targets)
    if args.compile:
        compiled = steps(torch.compile(library(args.stage, table), dynamic=True), args.targets[0])
        works[f"the same, compiled, {args.targets[0]}"] = compiled
        for _ in range(WARM_UP):
            compiled()
    last = works[f"msm4sr_lite, {args.targets[0]}"]
    last()
    works[f"bare products, {args.targets[0]}"] = bare_products(
        args.stage, last.model, table, last.batch
    )
    bare_targets = last.targets[-1]
    seconds = side_by_side(works, args.repeats)
    rows: list[Row] = []
    for name, work in works.items():
        steps_done = isinstance(work, Steps)
        done = sum(work.targets) / len(work.targets) if steps_done else bare_targets
        rows.append(
            {
                "implementation": name,
                "stage": args.stage,
                "items": args.items,
                "slots": f"{args.text_slots}+{args.image_slots}",
                "width": args.width,
                "targets": round(done),
                "unique": round(sum(work.unique) / len(work.unique)) if steps_done else "",
                "seconds": seconds[name],
                "targets/s": done / seconds[name],
                "ratio": done / seconds[name],
            }
        )
    for row in rows:
        row["ratio"] /= rows[0]["targets/s"]
    print(f"peak memory {peak_memory():.0f} MB")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", choices=("pretrain", "finetune"), default="pretrain")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--mean-length", type=float, default=18.0, help="with the two held out")
    parser.add_argument("--targets", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--text-slots", type=int, default=10)
    parser.add_argument("--image-slots", type=int, default=1)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile too: minutes more")
    parser.add_argument("--skip-plain", action="store_true", help="it takes seconds a step")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report(measure(args), args.out)


if __name__ == "__main__":
    main()
