"""``msm4sr sample``: write the sample shop."""

from __future__ import annotations

import argparse
import json

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import bar


def main(args: argparse.Namespace) -> int:
    """Write the sample shop folder."""
    if args.out.exists() and any(args.out.iterdir()):
        raise UserError(f"{args.out}: the folder is not empty; choose a new one")
    from data_samples.make.write import write_sample

    write_sample(
        args.out, seed=args.seed, progress=lambda items: bar(items, name="images", unit="item")
    )
    print(
        json.dumps({"folder": str(args.out), "seed": args.seed})
        if args.json
        else f"written: {args.out}"
    )
    return 0
