"""Convert public datasets into dataset folders.

::

    published  what a format is, and the rows of its files; bad rows are skipped and counted
    write      the dataset folder with its images

How to add a format:

1. Write a module here with a ``published.Format``. ``movielens`` is a good model.
2. ``find`` returns the source files, or None. ``interactions`` and ``items`` read them with
   ``Source.read``, and give it a function that turns one row of a table, or one line, into an
   ``Interaction`` or into the fields of an item. It raises ``ValueError`` with the reason for a bad
   row; the functions of ``msm4sr_lite.dataset.cells`` do so.
3. Add the format to ``FORMATS``, and a section to ``docs/convert.md``.
4. Test it in ``tests/dataset/convert`` with a few lines of the real format.

No file is read as a whole. Memory grows only with the number of users, items and images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert import amazon, hm, movielens, recbole
from msm4sr_lite.dataset.convert.published import Format, Source
from msm4sr_lite.dataset.convert.write import require_writable, write_dataset
from msm4sr_lite.store.files import whole_folder

__all__ = ["FORMATS", "convert_dataset"]

FORMATS = {
    "amazon-2018": amazon.RELEASE_2018,
    "amazon-2023": amazon.RELEASE_2023,
    "movielens": movielens.MOVIELENS,
    "recbole": recbole.RECBOLE,
    "hm": hm.HM,
}


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

    Every interaction is kept, repeated ones too. Of several rows of one item the first counts. An
    item that occurs only among the interactions gets a row without text.

    Parameters
    ----------
    source
        The unpacked folder of the dataset, or its file of interactions.
    out
        The dataset folder. One that an earlier conversion wrote is replaced.
    format
        A key of ``FORMATS``; empty: recognised by the file names.
    items
        The file of items; None: found beside the interactions.
    images
        A folder with images that are named by item id; None: those of the dataset, if it has any.
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
        Counts of what was written and what was left out; also in ``out/converted.json``.

    Raises
    ------
    UserError
        If the source cannot be read as this format, or ``out`` cannot be written or replaced.
    """
    out = Path(out)
    converter, found = _find_source(Path(source), format)
    if level and level not in converter.levels:
        known = " and ".join(converter.levels) or "no levels; only H&M has some"
        raise UserError(f"level {level!r} does not exist in {converter.name}; it has {known}")
    if items and not Path(items).is_file():
        raise UserError(f"{items}: no such file; items names the file of items")
    found.items = Path(items) if items else found.items
    found.images = Path(images) if images else found.images
    found.level = level or ""
    if found.items is None and found.images is None:
        raise UserError(
            f"{found.interactions}: no file of items beside it, so there is neither text nor"
            f" image; expected {converter.files}; name it with --items, or images with --images"
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
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    tried = {format: FORMATS[format]} if format else FORMATS
    # Several review files side by side are an error of one format only: try the others first.
    found, errors = {}, []
    for key, converter in tried.items():
        try:
            if source := converter.find(path):
                found[key] = (converter, source)
        except UserError as error:
            errors.append(error)
    if len(found) > 1:
        raise UserError(f"{path}: could be {' or '.join(found)}; name the format (--from)")
    if found:
        return next(iter(found.values()))
    if errors:
        raise errors[0]
    wanted = "; ".join(f"{key}: {converter.files}" for key, converter in tried.items())
    raise UserError(f"{path}: nothing here that can be converted; looked for {wanted}")
