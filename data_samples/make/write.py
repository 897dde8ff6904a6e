"""Write the sample shop as a shop folder, and recognise it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data_samples.make.catalogue import SampleItem
from data_samples.make.datasheet import LICENSE, datasheet
from data_samples.make.drawing import draw, save_png
from data_samples.make.shoppers import World, make_world
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import whole_folder

VERSION = 1
TABLES = ("interactions.csv", "items.jsonl")


def write_sample(
    out: Path,
    seed: int = 7,
    pictures: bool = True,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Write the whole shop folder, or nothing.

    Parameters
    ----------
    out
        The folder; what it held before is replaced.
    seed
        7 is the committed sample.
    pictures
        Whether to draw the pictures; the tables are the same without them.
    progress
        Wraps the list of items while their pictures are drawn.
    """
    world = make_world(seed)
    with whole_folder(Path(out)) as draft:
        write_tables(draft, world)
        _write(draft / "README.md", datasheet(world))
        _write(draft / "LICENSE", LICENSE)
        if pictures:
            (draft / "images").mkdir()
            for number, item in enumerate(progress(world.items)):
                for view in range(item.views):
                    save_png(
                        draw(item.look, view, picture_seed(seed, number)),
                        draft / image_name(item, view),
                    )


def write_tables(folder: Path, world: World) -> None:
    """Write interactions, items, and ``sample.json`` with the digests of both."""
    rows = sorted(
        (time, shopper.user_id, item)
        for shopper in world.shoppers
        for item, time in zip(shopper.items, shopper.times, strict=True)
    )
    lines = ["user_id,item_id,timestamp", *(f"{user},{item},{time}" for time, user, item in rows)]
    _write(folder / TABLES[0], "\n".join(lines) + "\n")
    records = (json.dumps(_record(item), ensure_ascii=False) for item in world.items)
    _write(folder / TABLES[1], "".join(record + "\n" for record in records))
    about = {
        "name": "corner_shop",
        "version": VERSION,
        "seed": world.seed,
        "sha256": {name: _digest(folder / name) for name in TABLES},
    }
    _write(folder / "sample.json", json.dumps(about, indent=2) + "\n")


def load_world(folder: Path | str) -> World | None:
    """Return the world that a sample folder was written from; None if it is no sample.

    Raises
    ------
    UserError
        If the sample is of another version, or its tables are not the ones that were written:
        then no ceiling is known for them.
    """
    path = Path(folder) / "sample.json"
    if not path.is_file():
        return None
    about = json.loads(path.read_text(encoding="utf-8"))
    if about["version"] != VERSION:
        raise UserError(
            f"{path}: version {about['version']} of the sample; this library knows version"
            f" {VERSION}; write the sample again with `msm4sr sample`"
        )
    for name, digest in about["sha256"].items():
        if _digest(Path(folder) / name) != digest:
            raise UserError(
                f"{Path(folder) / name}: not as written by `msm4sr sample`, so the ceiling is not"
                f" known; write the sample again, or remove {path.name}"
            )
    return make_world(about["seed"])


def image_name(item: SampleItem, view: int) -> str:
    """Return the name of a picture within the shop folder."""
    return f"images/{item.item_id}_{view + 1}.png"


def picture_seed(seed: int, number: int) -> int:
    """Return the seed that item ``number`` of a sample is drawn with."""
    return seed * 10_000 + number


def _record(item: SampleItem) -> dict[str, Any]:
    record: dict[str, Any] = {"item_id": item.item_id, "department": item.department}
    if item.has_text:
        record |= {
            "title": item.title,
            "brand": item.brand,
            "categories": [item.look.product],
            "description": item.description,
        }
    if item.views:
        record["images"] = [image_name(item, view) for view in range(item.views)]
    return record


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def _digest(path: Path) -> str:
    # Line ends are taken as LF, whatever a checkout made of them.
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
