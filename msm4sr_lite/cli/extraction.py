"""``msm4sr keywords`` and ``msm4sr features``: the stages before training."""

from __future__ import annotations

import argparse
from pathlib import Path

from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import open_dataset
from msm4sr_lite.config import FeatureConfig
from msm4sr_lite.progress import say


def keywords(args: argparse.Namespace) -> Path:
    """Write the best keywords of every image."""
    from msm4sr_lite.features.stages import compute_keywords

    return compute_keywords(
        open_dataset(args),
        args.out,
        from_flags(args, FeatureConfig()),
        clip=args.clip,
        dictionary=args.dictionary,
        device=args.device,
        workers=args.workers,
    )


def features(args: argparse.Namespace) -> Path:
    """Write the feature table, or check one."""
    from msm4sr_lite.features.inspection import check_features, feature_folder
    from msm4sr_lite.features.stages import encode_features

    options = {"text_encoder": args.text_encoder, "device": args.device}
    if getattr(args, "check", False):
        for name, found in check_features(open_dataset(args), args.out, **options).items():
            say(
                f"features: check: {name}: {found['n_embeddings']} embeddings, largest difference"
                f" {found['largest_difference']:.1e}"
            )
        return feature_folder(args.out)
    encode_features(open_dataset(args), args.out, from_flags(args, FeatureConfig()), **options)
    return Path(args.out) / "features"
