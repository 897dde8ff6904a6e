"""Write the sample as a dataset folder, and recognise it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data_samples.make.catalogue import SampleItem
from data_samples.make.datasheet import LICENSE, datasheet
from data_samples.make.drawing import draw, save_png
from data_samples.make.oracle_file import write_oracle
from data_samples.make.simulation import World, make_world
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import whole_folder, write_json, write_text

VERSION = 1
TABLES = ("interactions.csv", "items.jsonl")


def write_sample(
    out: Path,
    seed: int = 7,
    images: bool = True,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Write the whole dataset folder, or nothing.

    Parameters
    ----------
    out
        The folder; what it held before is replaced.
    seed
        7 is the committed sample.
    images
        Whether to draw the images; the tables are the same without them.
    progress
        Wraps the list of items while their images are drawn.
    """
    world = make_world(seed)
    with whole_folder(Path(out)) as draft:
        _write_tables(draft, world)
        write_text(draft / "README.md", datasheet(world))
        write_text(draft / "LICENSE", LICENSE)
        write_oracle(draft, world)
        if images:
            (draft / "images").mkdir()
            for number, item in enumerate(progress(world.items)):
                for view in range(item.n_images):
                    save_png(
                        draw(item.look, view, image_seed(seed, number)),
                        draft / image_name(item, view),
                    )


def _write_tables(folder: Path, world: World) -> None:
    """Write interactions, items, and ``sample.json`` with the digests of both."""
    rows = sorted(
        (time, user.user_id, item)
        for user in world.users
        for item, time in zip(user.items, user.times, strict=True)
    )
    lines = ["user_id,item_id,timestamp", *(f"{user},{item},{time}" for time, user, item in rows)]
    write_text(folder / TABLES[0], "\n".join(lines) + "\n")
    records = (json.dumps(_record(item), ensure_ascii=False) for item in world.items)
    write_text(folder / TABLES[1], "".join(record + "\n" for record in records))
    about = {
        "name": "corner_shop",
        "version": VERSION,
        "seed": world.seed,
        "sha256": {name: _digest(folder / name) for name in TABLES},
    }
    write_json(folder / "sample.json", about)


def load_world(folder: Path | str) -> World:
    """Return the world that a sample folder was written from.

    Raises
    ------
    UserError
        If the folder holds no sample or one of another version, or if its tables are not those
        that were written.
    """
    path = Path(folder) / "sample.json"
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; write a sample with `python -m data_samples.make --out DIR`"
        )
    about = json.loads(path.read_text(encoding="utf-8"))
    if about["version"] != VERSION:
        raise UserError(
            f"{path}: version {about['version']} of the sample, but this generator knows version"
            f" {VERSION} only; write the sample again"
        )
    for name, digest in about["sha256"].items():
        if _digest(Path(folder) / name) != digest:
            raise UserError(
                f"{Path(folder) / name}: differs from the file that the generator wrote, so its"
                " oracle is unknown; write the sample again"
            )
    return make_world(about["seed"])


def image_name(item: SampleItem, view: int) -> str:
    """Return the name of an image within the dataset folder."""
    return f"images/{item.item_id}_{view + 1}.png"


def image_seed(seed: int, number: int) -> int:
    """Return the seed that item ``number`` of a sample is drawn with."""
    return seed * 10_000 + number


def _record(item: SampleItem) -> dict[str, Any]:
    record: dict[str, Any] = {"item_id": item.item_id, "department": item.domain}
    if item.has_text:
        record |= {
            "title": item.title,
            "brand": item.brand,
            "categories": [item.look.product],
            "description": item.description,
        }
    if item.n_images:
        record["images"] = [image_name(item, view) for view in range(item.n_images)]
    return record


def _digest(path: Path) -> str:
    # Line ends are taken as LF, whatever a checkout made of them.
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
