"""Which format a folder or file is."""

from __future__ import annotations

from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert import (
    amazon_2018,
    amazon_2023,
    hm,
    movielens,
    recbole,
)
from msm4sr_lite.dataset.convert.records import Format, Source

FORMATS: dict[str, Format] = {
    "amazon-2018": amazon_2018,
    "amazon-2023": amazon_2023,
    "movielens": movielens,
    "recbole": recbole,
    "hm": hm,
}


def find(path: Path, name: str = "") -> tuple[Format, Source]:
    """Return the format of a folder or file, and its files.

    Parameters
    ----------
    path
        A folder that holds the files, or the file of purchases, ratings or reviews itself.
    name
        One of ``FORMATS``; empty: the only one whose files are there.

    Raises
    ------
    UserError
        If the files are not there, or are those of several formats.
    """
    if path.suffix in (".zip", ".tar", ".tgz"):
        raise UserError(f"{path}: unpack the archive first, then give the folder")
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    tried = {name: FORMATS[name]} if name else FORMATS
    # Several review files side by side are an error of one format only: look at the others first.
    found, mistakes = {}, []
    for key, form in tried.items():
        try:
            source = form.find(path)
        except UserError as error:
            mistakes.append(error)
            continue
        if source:
            found[key] = (form, source)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UserError(f"{path}: could be {' or '.join(found)}; say which with --from")
    if mistakes:
        raise mistakes[0]
    wanted = "; ".join(f"{key}: {form.WANTS}" for key, form in tried.items())
    raise UserError(f"{path}: nothing here that can be converted; looked for {wanted}")
