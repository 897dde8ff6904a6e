"""Compare a training step with its plain form, prefix augmentation and its matrix products.

::

    python -m benchmarks.training                           # pre-training, 10,000 items
    python -m benchmarks.training --stage finetune --targets 1024 16384
    python -m benchmarks.training --text-slots 10 --image-slots 3 --width 384

All of them are measured in turn in one run, in processor seconds on one thread. ``ratio`` is the
number of targets per processor second, relative to the first row. A target counts if its loss term
is computed. Both forms of prefix augmentation are in ``benchmarks.prefix_augmentation``.
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

from benchmarks import prefix_augmentation, synthetic
from benchmarks.measure import Row, peak_memory, report, side_by_side
from msm4sr_lite import fast
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast.encoder import POOL_ITEMS
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.sequences import Batch, Sequences, training_batches

WARM_UP = 10  # steps until torch.compile no longer compiles for another size


class Steps:
    """Training steps, one per call, over repeated epochs."""

    def __init__(
        self,
        loss: Callable[[M2SE, Batch, torch.Generator], Tensor],
        model: M2SE,
        sequences: Sequences,
        targets: int,
        prefixes: bool = False,
        targets_per_sequence: int = 0,
    ) -> None:
        self.loss, self.model = loss, model.train()
        self.generator = torch.Generator().manual_seed(0)
        self.optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        how = 50, targets, self.generator, prefixes, targets_per_sequence
        epochs = (training_batches(sequences, *how) for _ in count())
        self.batches: Iterator[Batch] = chain.from_iterable(epochs)
        self.targets: list[int] = []
        self.unique: list[int] = []

    def __call__(self) -> None:
        batch = self.batch = next(self.batches)
        self.targets.append(int((batch.targets > 0).sum()))
        self.unique.append(len(torch.cat([batch.items, batch.targets]).unique()))
        self.optimizer.zero_grad()
        self.loss(self.model, batch, self.generator).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()


def library(stage: str, table: FeatureTable, **options: Any) -> Any:
    """Return the library's loss as a function of model, batch and generator."""
    if stage == "pretrain":
        loss_of: Any = pretraining_loss
        config: Any = PretrainConfig(**options)
    else:
        loss_of, config = finetuning_loss, FinetuneConfig(**options)
    return lambda model, batch, generator: loss_of(model, table, batch, config, generator)[0]


def in_plain_form(work: Callable[[], object]) -> Callable[[], object]:
    """Return a function that does the same work without the fast forms."""

    def run() -> None:
        with fast.switched_off():
            work()

    return run


def bare_products(stage: str, model: M2SE, table: FeatureTable, batch: Batch) -> Callable[[], None]:
    """Return a function that computes the matrix products of a step and nothing else.

    Each item is processed once, and tokens have no padding. Forward products and the necessary
    gradients are computed. All sequences have the same length, which gives the right number of
    pairs of tokens.
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
    # Items: energies of slots, slots by weights, experts by gates. The slots are not trained.
    for modality in (table.text, table.image):
        slots = int(modality.counts.max())
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
    """Return a function that multiplies ``count`` pairs of matrices (n x k, k x m), with gradients.

    ``left`` and ``right`` say which factor has a gradient.
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
    sequences = synthetic.sequences(args.users, args.items, args.mean_length)
    table = synthetic.table(args.items, args.text_slots, args.image_slots, args.width)
    ids = args.items if args.stage == "finetune" else 0
    pretraining = args.stage == "pretrain"
    reference: Any = (
        prefix_augmentation.pretraining if pretraining else prefix_augmentation.finetuning
    )
    config = PretrainConfig() if pretraining else FinetuneConfig()

    def steps(loss: Any, targets: int, prefixes: bool = False) -> Steps:
        torch.manual_seed(0)
        model = M2SE(ModelConfig(feature_dim=args.width, n_items=ids))
        return Steps(loss, model, sequences, targets, prefixes)

    works: dict[str, Any] = {}
    for name, careful in (("prefixes, as released", False), ("prefixes, careful", True)):
        if careful or not args.skip_released:
            loss = lambda m, b, _, c=careful: reference(m, table, b, config, c)  # noqa: E731
            works[name] = steps(loss, args.targets[0], prefixes=True)
    plain = steps(library(args.stage, table), args.targets[0])
    works[f"plain form, {args.targets[0]}"] = in_plain_form(plain)
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
    works[f"plain form, {args.targets[0]}"] = plain
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
    parser.add_argument("--mean-length", type=float, default=18.0, help="held-out items included")
    parser.add_argument("--targets", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--text-slots", type=int, default=10)
    parser.add_argument("--image-slots", type=int, default=1)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="add torch.compile (minutes)")
    parser.add_argument("--skip-released", action="store_true", help="skip the slowest form")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report(measure(args), args.out)


if __name__ == "__main__":
    main()
