"""Convert public datasets into dataset folders.

::

    formats    which converter reads a folder or file
    records    what a converter returns
    tolerant   rows of a file; bad rows are skipped and counted, too many stop the conversion
    images     image files in a folder, found by item id
    write      the dataset folder

How to add a converter:

1. Write a module here with the members of ``records.Converter``. ``movielens`` is a good model.
2. ``NAME`` and ``FILES`` are texts for messages. ``find`` returns the source files, or None.
3. ``interactions`` and ``items`` are generators. Read the files with ``tolerant.each_row`` (csv,
   tsv) or ``tolerant.each_line`` (anything else), and give them a function that turns one row into
   an ``Interaction`` or an ``ItemRow``. It raises ``ValueError`` with the reason for a bad row;
   the functions of ``msm4sr_lite.dataset.cells`` do so.
4. Add the module to ``formats.FORMATS``, and a section to ``docs/convert.md``.
5. Test it in ``tests/dataset/convert`` with a few lines of the real format.

No file is read as a whole. Memory grows only with the number of users, items and images.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.formats import find_source
from msm4sr_lite.dataset.convert.records import Converter, Source
from msm4sr_lite.dataset.convert.write import write_dataset

__all__ = ["convert_dataset"]


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
        A key of ``formats.FORMATS``; empty: recognised by the file names.
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
    converter, found = find_source(Path(source), format)
    found = _with_options(converter, found, items, images, level)
    try:
        return write_dataset(
            converter, found, out, min_rating=min_rating, copy_images=copy_images, force=force
        )
    except OSError as error:  # a full disk, no permission
        raise UserError(f"{out}: cannot be written: {error}; choose another folder") from None


def _with_options(
    converter: Converter,
    source: Source,
    items: str | Path | None,
    images: str | Path | None,
    level: str | None,
) -> Source:
    if level:
        levels = getattr(converter, "LEVELS", ())
        if level not in levels:
            known = f"it has {' and '.join(levels)}" if levels else "only H&M has levels"
            raise UserError(f"level {level!r} does not exist in {converter.NAME}; {known}")
        source = replace(source, level=level)
    if items:
        if not Path(items).is_file():
            raise UserError(f"{items}: no such file; items names the file of items")
        source = replace(source, items=Path(items))
    return replace(source, images=Path(images)) if images else source
