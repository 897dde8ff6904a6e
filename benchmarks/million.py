"""Measure an epoch of pre-training and an evaluation on a synthetic dataset of a million items.

::

    python -m benchmarks.million                      # 1 million items, 10 million interactions
    python -m benchmarks.million --items 50000 --users 20000 --test-users 2000

Each item has 1 to 4 sentences and one image, in float16. The script prints time and peak memory.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import synthetic
from benchmarks.measure import Row, peak_memory, report
from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.training import pretrain_steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=770_000)
    parser.add_argument("--mean-length", type=float, default=13.0)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--test-users", type=int, default=20_000, help="users of the evaluation")
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=0, help="steps of the epoch; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows: list[Row] = []

    def add_row(part: str, started: float, **more: float) -> None:
        seconds = time.perf_counter() - started
        rows.append({"part": part, "seconds": seconds, "peak MB": peak_memory(), **more})
        print(rows[-1], flush=True)

    start = time.perf_counter()
    sequences = synthetic.sequences(args.users, args.items, args.mean_length)
    table = synthetic.table(args.items, 4, 1, args.width, ragged=True)
    add_row("dataset", start, interactions=len(sequences.interactions))

    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=args.width))
    config = PretrainConfig(epochs=1, batch_size=args.batch_size, valid_users=2000)
    start, targets = time.perf_counter(), 0
    for record in pretrain_steps(model, table, sequences, config):
        targets += record.targets if record.recall is None else 0
        if record.step % 100 == 0:
            print(record.step, f"{targets / record.seconds:.0f} targets/s", flush=True)
        if record.step == args.steps:
            break
    add_row("pre-training", start, targets=targets)

    start = time.perf_counter()
    scorer = ModelScorer(model, table)
    add_row("item embeddings", start)
    histories, items = sequences.held_out("test")
    drawn = np.random.default_rng(0).choice(
        len(items), min(args.test_users, len(items)), replace=False
    )
    start = time.perf_counter()
    ranks = target_ranks(scorer, [histories[user] for user in drawn], items[drawn])
    recall = float(metrics(ranks, [20])["recall@20"].mean())
    add_row("evaluation", start, users=len(drawn), recall=recall)
    report(rows, args.out)


if __name__ == "__main__":
    main()
