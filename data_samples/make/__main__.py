"""Write the sample, its oracle file, or the table of its upper bounds.

python -m data_samples.make --out DIR
python -m data_samples.make --oracle data_samples/corner_shop
python -m data_samples.make --table data_samples/corner_shop
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data_samples.make.knowledge import knowledge_table
from data_samples.make.oracle_file import write_oracle
from data_samples.make.write import load_world, write_sample
from msm4sr_lite.config import UserError
from msm4sr_lite.progress import bar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three actions; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m data_samples.make", description=(__doc__ or "").partition("\n")[0]
    )
    action = parser.add_mutually_exclusive_group(required=True)
    for name, text in (
        ("out", "new folder to write the sample into"),
        ("oracle", "folder of a sample that gets its oracle.npz again"),
        ("table", "folder of a sample whose table of upper bounds is printed"),
    ):
        action.add_argument(f"--{name}", type=Path, metavar="DIR", help=text)
    parser.add_argument(
        "--seed", type=int, default=7, help="seed of --out (default: 7, the committed sample)"
    )
    args = parser.parse_args(arguments)
    try:
        if args.table:
            print(knowledge_table(load_world(args.table)))
        elif args.oracle:
            write_oracle(args.oracle, load_world(args.oracle))
        else:
            if args.out.exists() and any(args.out.iterdir()):
                raise UserError(f"{args.out}: the folder is not empty; choose a new one")
            write_sample(
                args.out, args.seed, progress=lambda items: bar(items, name="images", unit="item")
            )
            print(f"written: {args.out}")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
