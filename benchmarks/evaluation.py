"""Compare full-ranking evaluation with its plain form, and with embeddings computed per batch.

::

    python -m benchmarks.evaluation
    python -m benchmarks.evaluation --items 100000 --skip-recomputing

Times are processor seconds on one thread. ``ratio`` is the number of users per processor second,
relative to the first row. ``embedding seconds`` is the time for the item embeddings, which the
library computes once.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import prefix_augmentation, synthetic
from benchmarks.measure import Row, peak_memory, report, side_by_side
from benchmarks.training import in_plain_form
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.scoring import ModelScorer


def measure(args: argparse.Namespace) -> list[Row]:
    """Return one row per way of ranking."""
    sequences = synthetic.sequences(args.users, args.items, args.mean_length)
    table = synthetic.table(args.items, args.text_slots, args.image_slots, args.width)
    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=args.width, n_items=args.items)).eval()
    histories, targets = sequences.held_out("test")

    start = time.process_time()
    scorer = ModelScorer(model, table)
    once = time.process_time() - start

    class ScoreOnly:
        """The same scorer with only the method ``score``, which computes one modality at a time."""

        score = staticmethod(scorer.score)

    some = min(args.users, 512)  # one batch, as the embeddings are recomputed for each
    works: dict[str, Any] = {}
    users = {"recomputed": some}
    if not args.skip_recomputing:
        works["recomputed"] = lambda: prefix_augmentation.ranks(
            model, table, histories[:some], targets[:some]
        )
    works["kept, plain form"] = in_plain_form(lambda: target_ranks(scorer, histories, targets))
    works["kept, score"] = lambda: target_ranks(ScoreOnly(), histories, targets)
    works["kept, fast"] = lambda: target_ranks(scorer, histories, targets)
    seconds = side_by_side(works, args.repeats)
    rows: list[Row] = [
        {
            "way": name,
            "items": args.items,
            "users": users.get(name, args.users),
            "seconds": seconds[name],
            "users/s": users.get(name, args.users) / seconds[name],
            "ratio": users.get(name, args.users) / seconds[name],
            "embedding seconds": once if name != "recomputed" else 0.0,
        }
        for name in works
    ]
    for row in rows:
        row["ratio"] /= rows[0]["users/s"]
    print(f"peak memory {peak_memory():.0f} MB")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=2048)
    parser.add_argument("--mean-length", type=float, default=18.0)
    parser.add_argument("--text-slots", type=int, default=10)
    parser.add_argument("--image-slots", type=int, default=1)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip-recomputing", action="store_true")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report(measure(args), args.out)


if __name__ == "__main__":
    main()
