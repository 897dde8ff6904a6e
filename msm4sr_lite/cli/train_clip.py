"""``msm4sr train-clip``: a small CLIP-like model from a labelled image folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from msm4sr_lite.cli import common
from msm4sr_lite.config import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    parser.add_argument("folder", type=Path, metavar="LABELLED", help="labels.csv and images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new model folder")
    parser.add_argument(
        "--columns", default="", help="label columns, comma-separated (default: few short values)"
    )
    parser.add_argument("--epochs", type=int, default=60, help="at most (default: 60)")
    parser.add_argument(
        "--test-images", type=int, default=0, help="images kept for testing (default: 0)"
    )
    common.add_seed(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Train the model and write its folder."""
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise UserError(f"{args.out}: exists already; choose a new folder")
    from msm4sr_lite.device import resolve_device
    from msm4sr_lite.features.clip.make import train_clip
    from msm4sr_lite.features.clip.training import ClipTrainingConfig

    report = train_clip(
        args.folder,
        args.out,
        common.item_list(args.columns),
        ClipTrainingConfig(epochs=args.epochs, seed=args.seed),
        test_images=args.test_images,
        device=resolve_device(args.device),
    )
    if args.json:
        common.print_json(report)
        return
    k = len(report["columns"])
    for part in ("validation", "test"):
        if found := report.get(part):
            print(
                f"{part}: precision@{k} {found[f'precision@{k}']:.3f}, recall@10"
                f" {found['recall@10']:.3f} on {found['images']} images"
            )
    print(f"written: {args.out}; use it with --clip {args.out} --dictionary {args.out}/words.txt")
