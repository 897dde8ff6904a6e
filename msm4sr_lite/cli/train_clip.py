"""``msm4sr train-clip``: train a small CLIP on a folder of labelled images."""

from __future__ import annotations

import argparse
import json

from msm4sr_lite.cli.opening import device_of


def main(args: argparse.Namespace) -> int:
    """Train the model, write its folder and print its figures."""
    from msm4sr_lite.features.clip.train_clip import train_clip
    from msm4sr_lite.features.clip.training import ClipTrainingConfig

    report = train_clip(
        args.folder,
        args.out,
        ClipTrainingConfig(epochs=args.epochs, width=args.width),
        columns=[name.strip() for name in args.columns.split(",") if name.strip()],
        n_test=args.n_test,
        seed=args.seed,
        device=device_of(args),
    )
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
        return 0
    k = len(report["columns"])
    for part in ("validation", "test"):
        if found := report.get(part):
            print(
                f"{part}: precision@{k} {found[f'precision@{k}']:.3f}, recall@10"
                f" {found['recall@10']:.3f} on {found['images']} images"
            )
    print(f"written: {args.out}; use it with --clip {args.out} --dictionary {args.out}/words.txt")
    return 0
