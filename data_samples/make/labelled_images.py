"""Draw labelled images, from which ``msm4sr train-clip`` trains a small CLIP for the sample.

    python -m data_samples.make.labelled_images --out build/drawings --count 10000

One look in ten is held out and never drawn here; ``keyword_precision`` tests on those.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path

from data_samples.make.drawing import Look, draw, save_png
from data_samples.make.labels import random_look
from msm4sr_lite.progress import bar
from msm4sr_lite.store.files import whole_folder

COLUMNS = tuple(field.name for field in fields(Look))
VIEWS = (0, 0, 1, 2)  # every other image shows the whole product from the front


def write_labelled_images(out: Path, count: int, seed: int = 7) -> None:
    """Write a folder of drawings with ``labels.csv``, whole or not at all.

    Parameters
    ----------
    out
        The folder; what it held before is replaced.
    count
        Number of images.
    seed
        Seed of looks, views and drawings.
    """
    rng = random.Random(f"training {seed}")
    with whole_folder(out) as draft:
        (draft / "images").mkdir()
        with (draft / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["image", *COLUMNS])
            for k in bar(range(count), name="drawings", unit="image"):
                look = random_look(rng, held_out=False)
                name = f"images/{k:05d}.png"
                save_png(draw(look, rng.choice(VIEWS), rng.randrange(1_000_000)), draft / name)
                if look.pattern == "plain":
                    look = replace(look, accent="")  # it is not visible
                table.writerow([name, *astuple(look)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.labelled_images")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--count", type=int, default=10_000, help="images (default: 10000)")
    parser.add_argument("--seed", type=int, default=7, help="random seed (default: 7)")
    args = parser.parse_args(arguments)
    if args.out.exists():
        parser.error(f"{args.out}: already exists; choose a new folder")
    write_labelled_images(args.out, args.count, args.seed)


if __name__ == "__main__":
    main()
