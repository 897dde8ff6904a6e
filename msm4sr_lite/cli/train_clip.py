"""``msm4sr train-clip``: a small CLIP-like model from a labelled picture folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from msm4sr_lite.cli.opening import device_of
from msm4sr_lite.config import UserError
from msm4sr_lite.progress import say


def main(args: argparse.Namespace) -> int:
    """Train the model and write its folder."""
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise UserError(f"{args.out}: there is something already; choose a new folder")
    from msm4sr_lite.features.clip.make import train_clip
    from msm4sr_lite.features.clip.training import ClipTrainingConfig

    columns = [name.strip() for name in args.columns.split(",") if name.strip()]
    recipe = ClipTrainingConfig(epochs=args.epochs, seed=args.seed)
    report = train_clip(
        args.folder,
        args.out,
        columns,
        recipe,
        test_pictures=args.test_pictures,
        device=device_of(args),
        say=say,
        progress=_bar,
    )
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
        return 0
    k = len(report["columns"])
    for part in ("validation", "test"):
        if found := report.get(part):
            print(
                f"{part}: precision@{k} {found[f'precision@{k}']:.3f}, recall@10"
                f" {found['recall@10']:.3f} on {found['pictures']} pictures"
            )
    print(f"written: {args.out}; use it with --clip {args.out} --dictionary {args.out}/words.txt")
    return 0


def _bar(steps: Iterable[Any], name: str, total: int) -> Iterable[Any]:
    """Wrap a loop in a progress bar, which shows on terminals only; epochs show their figures."""
    with tqdm(steps, desc=name, total=total, file=sys.stderr, disable=None) as bar:
        for step in bar:
            if hasattr(step, "score"):
                bar.set_postfix(loss=f"{step.loss:.2f}", score=f"{step.score:.3f}")
            yield step
