"""``msm4sr train-clip``: train a small CLIP on a folder of labelled images."""

import argparse

from msm4sr_lite.cli import common
from msm4sr_lite.cli.parser import given_settings
from msm4sr_lite.device import resolve_device
from msm4sr_lite.features.clip.train_clip import train_clip
from msm4sr_lite.features.clip.training import ClipConfig
from msm4sr_lite.printable import counted
from msm4sr_lite.settings import with_settings


def run(args: argparse.Namespace) -> None:
    """Train the model, write its folder and print its metrics."""
    report = train_clip(
        args.folder,
        args.out,
        with_settings(ClipConfig(), given_settings(args)).clip,
        columns=common.item_list(args.columns),
        n_test=args.n_test,
        seed=args.seed,
        device=resolve_device(args.device),
    )
    k, lines = len(report["columns"]), []
    for part in ("validation", "test"):
        if found := report.get(part):
            lines.append(
                f"{part}: precision@{k} {found[f'precision@{k}']:.3f}, recall@10"
                f" {found['recall@10']:.3f} on {counted(found['images'], 'image')}"
            )
    use = f"use it with --clip {args.out} --dictionary {args.out}/words.txt"
    common.show(args, report, "\n".join([*lines, f"written: {args.out}; {use}"]))
