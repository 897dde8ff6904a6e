"""Choose the photographs of ``data_samples/photos``, or those that train the CLIP beside them.

    python -m data_samples.make.photos --out data_samples/photos
    python -m data_samples.make.photos --training --out build/photos

The environment variable MSM4SR_DATA names the folder that holds ``grocery_photos``: images, their
``labels.csv`` and the licence.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import islice
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import whole_folder

SOURCE = "grocery_photos"
GROUPS = ("fruit", "vegetable")  # cartons show brand names
PER_PRODUCT = 4
# Found by looking at every chosen photograph.
EXCLUDED = {
    "readable brand or package": (
        *("test_02990", "test_03126", "test_03133", "test_03440", "test_03571", "test_03961"),
        *("test_04975", "test_05236", "test_05252", "test_05264", "test_05265"),
        *("test_05291", "val_02734", "val_02908"),
    ),
    "person": ("test_03439", "test_03500", "test_03942"),
}


@dataclass(frozen=True)
class Photo:
    """A row of ``labels.csv``: the image's path in the folder, and its three labels."""

    image: str
    product: str
    kind: str
    group: str

    @property
    def words(self) -> set[str]:
        """The label words that are true: two where product and kind have the same name."""
        return {self.product, self.kind, self.group}


COLUMNS = [field.name for field in fields(Photo)]


def find_source() -> Path:
    """Return the folder of all photographs, which MSM4SR_DATA names."""
    folder = Path(os.environ.get("MSM4SR_DATA", "")) / SOURCE
    if not (folder / "labels.csv").is_file():
        problem = "no such file; set MSM4SR_DATA to the folder that holds it"
        raise UserError(f"{folder / 'labels.csv'}: {problem}")
    return folder


def read_photos(folder: Path, splits: Iterable[str] = ()) -> list[Photo]:
    """Read the photographs of fruit and vegetables, in the order of ``labels.csv``.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and the images.
    splits
        Which values of the column ``split`` are read; by default all photographs.
    """
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["group"] in GROUPS]
    splits = set(splits)
    kept = (row for row in rows if not splits or row["split"] in splits)
    return [Photo(*(row[name] for name in COLUMNS)) for row in kept]


def choose_photos(photos: Iterable[Photo], per_product: int = PER_PRODUCT) -> list[Photo]:
    """Choose the same number of photographs of every product.

    The order within a product comes from a checksum of the image's name. Neighbouring names often
    show the same crate, so the first ones by name would be too similar.
    """
    excluded = {f"images/{name}.jpg" for names in EXCLUDED.values() for name in names}
    waiting: dict[tuple[str, str, str], list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: zlib.crc32(photo.image.encode())):
        if photo.image not in excluded:
            waiting.setdefault((photo.group, photo.kind, photo.product), []).append(photo)
    return [photo for _, some in sorted(waiting.items()) for photo in islice(some, per_product)]


def write_photos(source: Path, photos: Sequence[Photo], out: Path) -> None:
    """Copy photographs, write their ``labels.csv`` and add the licence, all or nothing."""
    with whole_folder(out) as draft:
        (draft / "images").mkdir()
        with (draft / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerows([COLUMNS, *map(astuple, photos)])
        for name in ("LICENSE", *(photo.image for photo in photos)):
            shutil.copyfile(source / name, draft / name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.photos")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument(
        "--training", action="store_true", help="all training photographs, not the chosen ones"
    )
    args = parser.parse_args(arguments)
    try:
        if args.out.exists():
            raise UserError(f"{args.out}: already exists; choose a new folder")
        source = find_source()
        held_out = read_photos(source, ("val", "test"))
        photos = read_photos(source, ("train",)) if args.training else choose_photos(held_out)
        write_photos(source, photos, args.out)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written: {args.out} ({len(photos)} photographs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
