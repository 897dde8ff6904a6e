"""Convert public datasets into dataset folders.

::

    published  defines a format and reads its files; bad rows are skipped and counted
    amazon     Amazon Reviews, the releases of 2018 and 2023
    hm         H&M, articles or products
    movielens  MovieLens
    recbole    RecBole atomic files

How to add a format:

1. Write a module here with a ``published.Format``. ``movielens`` is a good model.
2. ``find`` returns the source files, or None. ``interactions`` and ``items`` read them with
   ``Source.read``, and give it a function that turns one row of a table, or one line, into an
   ``Interaction`` or into the fields of an item. For a bad row the function raises ``ValueError``
   with the reason, as the functions of ``msm4sr_lite.dataset.rows`` do.
3. Add the format to ``FORMATS``, its name to the choices of ``--from`` in ``cli/commands.py``, and
   a section to ``docs/convert.md``.
4. Test it in ``tests/dataset/convert`` with a few lines of the real format.

Files are read row by row. Memory grows only with the number of users, items and images.
"""

import csv
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import TEXT_FIELDS
from msm4sr_lite.dataset.convert import amazon, hm, movielens, recbole
from msm4sr_lite.dataset.convert.published import Format, Interaction, Source
from msm4sr_lite.progress import bar
from msm4sr_lite.store.checksums import require_file
from msm4sr_lite.store.files import json_line, whole_folder, write_json

FORMATS = {
    "amazon-2018": amazon.RELEASE_2018,
    "amazon-2023": amazon.RELEASE_2023,
    "movielens": movielens.MOVIELENS,
    "recbole": recbole.RECBOLE,
    "hm": hm.HM,
}
IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
MAX_IMAGES = 10  # of one item
RECORD = "converted.json"
COUNTS = ["users", "items", "interactions", "items_with_text", "items_with_image"]
COUNTS += ["items_with_neither", "items_not_listed", "repeated_item_rows", "below_min_rating"]
WRITTEN = {"interactions.csv", "items.jsonl", "images", RECORD}


def convert_dataset(
    source: str | Path,
    out: str | Path,
    *,
    format: str = "",
    items: str | Path | None = None,
    images: str | Path | None = None,
    copy_images: bool = False,
    min_rating: float | None = None,
    level: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write a dataset folder from a public dataset, completely or not at all.

    Every interaction is kept, repeated ones too. If an item has several rows, the first is used. An
    item that occurs only in interactions gets a row without text.

    Parameters
    ----------
    source
        The unpacked folder of the dataset, or its file of interactions.
    out
        The dataset folder to write. The result of an earlier conversion is replaced.
    format
        A key of ``FORMATS``; empty: recognised by the file names.
    items
        The item file; None: the one beside the interactions.
    images
        A folder of images whose names are item ids; None: the images of the dataset, if any.
    copy_images
        Copy the images instead of making hard links.
    min_rating
        Drop interactions with a lower rating; None keeps all.
    level
        H&M only: whether an item is an ``"article"`` (default) or a ``"product"``.
    force
        Replace ``out`` even if it holds other files.

    Returns
    -------
    summary
        Numbers of users, items and interactions written and left out, also in
        ``out/converted.json``.

    Raises
    ------
    UserError
        If the source cannot be read as this format, or ``out`` cannot be written or replaced.
    """
    out = Path(out)
    if min_rating is not None:
        min_rating = ARGUMENTS["min_rating"].check(min_rating)
    converter, found = _find_source(Path(source), format)
    if level and level not in converter.levels:
        known = " and ".join(converter.levels) or "no levels; only H&M has some"
        raise UserError(f"level {level!r} does not exist in {converter.name}; it has {known}")
    if items:
        require_file(Path(items))
    found.items = Path(items) if items else found.items
    found.images = Path(images) if images else found.images
    found.level = level or ""
    if found.items is None and found.images is None:
        raise UserError(
            f"{found.interactions}: no item file beside it; expected {converter.files}; give the"
            f" item file (items) or a folder of images (images)"
        )
    require_writable(out, found, force)
    with whole_folder(out) as draft:
        return write_dataset(draft, converter, found, min_rating, copy_images)


def _find_source(path: Path, format: str) -> tuple[Format, Source]:
    """Return the format of a folder or of a file of interactions, and the files found there."""
    if format and format not in FORMATS:
        raise UserError(f"no format {format!r}; there is {', '.join(FORMATS)}")
    if path.suffix in (".zip", ".tar", ".tgz"):
        raise UserError(f"{path}: unpack the archive first, then give the folder")
    if not path.is_dir():
        require_file(path)
    tried = {format: FORMATS[format]} if format else FORMATS
    # Several review files in a folder are an error of one format only, so try the others first.
    found, errors = {}, []
    for key, converter in tried.items():
        try:
            if source := converter.find(path):
                found[key] = (converter, source)
        except UserError as error:
            errors.append(error)
    if len(found) > 1:
        raise UserError(f"{path}: could be {' or '.join(found)}; choose the format (--from)")
    if found:
        return next(iter(found.values()))
    if errors:
        raise errors[0]
    wanted = "; ".join(f"{key}: {converter.files}" for key, converter in tried.items())
    raise UserError(f"{path}: no files of a known format; looked for {wanted}")


def write_dataset(
    draft: Path, format: Format, source: Source, min_rating: float | None, copy_images: bool
) -> dict[str, Any]:
    """Write a dataset folder row by row; see ``convert_dataset``."""
    counts = dict.fromkeys(COUNTS, 0)
    rows = bar(format.interactions(source), name="interactions", unit="row")
    interacted = _write_interactions(draft / "interactions.csv", rows, min_rating, counts)
    if not interacted:
        at_least = f"no interaction has a rating of at least {min_rating:g}; lower min_rating"
        raise UserError(f"{source.interactions}: {at_least}")
    images = find_images(source.images) if source.images else {}
    rows = bar(format.items(source), name="items", unit="row")
    with _new_file(draft / "items.jsonl") as stream:
        for row in _each_item(rows, interacted, counts):
            names = row.pop("image_names", [row["item_id"]])
            found = [images[name] for name in names if name in images][:MAX_IMAGES]
            for original, relative in found:
                target = draft / "images" / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                if not copy_images:
                    with suppress(OSError):  # the disk may not allow hard links
                        os.link(original.resolve(), target)
                if not target.exists():
                    shutil.copyfile(original, target)
            fields = {name: value for name, value in row.items() if value}
            has_text = any(fields.get(name) for name in TEXT_FIELDS)
            counts["items"] += 1
            counts["items_with_text"] += has_text
            counts["items_with_image"] += bool(found)
            counts["items_with_neither"] += not (has_text or found)
            if len(found) == 1:
                fields["image"] = f"images/{found[0][1]}"
            elif found:
                fields["images"] = [f"images/{relative}" for _, relative in found]
            stream.write(json_line(fields))
    skipped = {"skipped_lines": source.skipped, "first_skipped": source.first_skipped}
    summary = {"format": format.name, **counts, **skipped}
    write_json(draft / RECORD, summary)
    return summary


def _write_interactions(
    path: Path, rows: Iterable[Interaction], min_rating: float | None, counts: dict[str, int]
) -> dict[str, None]:
    """Write ``interactions.csv``, with ratings if the first row has one; return the item ids."""
    rows = iter(rows)
    first = next(rows)
    header = ["user_id", "item_id", "timestamp", *(["rating"] if first.rating is not None else [])]
    if min_rating is not None and first.rating is None:
        raise UserError("min_rating: this dataset has no ratings; leave it out")
    users: set[str] = set()
    items: dict[str, None] = {}
    with _new_file(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        for row in chain([first], rows):
            if min_rating is not None and not (row.rating or 0) >= min_rating:
                counts["below_min_rating"] += 1
                continue
            counts["interactions"] += 1
            users.add(row.user_id)
            items[row.item_id] = None
            time = int(row.timestamp) if row.timestamp.is_integer() else row.timestamp
            table.writerow([row.user_id, row.item_id, time, row.rating][: len(header)])
    counts["users"] = len(users)
    return items


def _each_item(
    rows: Iterable[dict[str, Any]], interacted: dict[str, None], counts: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield the first row of each item, then the items that occur only in interactions."""
    seen: set[str] = set()
    for row in rows:
        if row["item_id"] in seen:
            counts["repeated_item_rows"] += 1
        else:
            seen.add(row["item_id"])
            yield row
    for item_id in interacted:
        if item_id not in seen:
            counts["items_not_listed"] += 1
            yield {"item_id": item_id}


def find_images(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return all images in a folder and its subfolders by their names without endings.

    Each comes with its path relative to the folder. If a name occurs twice, the first in
    alphabetical order of the folders is used.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; images must be in a folder")
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(folder.rglob("*.*"), key=lambda path: (path.parent, path.name)):
        relative = path.relative_to(folder).as_posix()
        # A dataset folder must be readable on every system.
        if path.suffix.lower() in IMAGE_ENDINGS and "\\" not in relative and path.is_file():
            found.setdefault(path.stem, (path, relative))
    return found


def _new_file(path: Path) -> TextIO:
    # Half a surrogate pair, which UTF-8 does not have, becomes "?" where no text was cleaned.
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")


def require_writable(out: Path, source: Source, force: bool) -> None:
    """Refuse an output folder that holds other files, or the files to be read."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out}: is a file; give the name of a folder")
    used = [Path.cwd(), Path.home(), source.interactions, source.items, source.images]
    for path in filter(None, used):
        if path.resolve().is_relative_to(out.resolve()):
            raise UserError(f"{out}: holds {path}, which must not be replaced; give another folder")
    names = {path.name for path in out.iterdir()}
    if names and not force and (RECORD not in names or names - WRITTEN):
        other = sorted(names - WRITTEN) or sorted(names)
        raise UserError(
            f"{out}: holds {other[0]!r}, which no conversion wrote; force (--force) replaces it"
        )
