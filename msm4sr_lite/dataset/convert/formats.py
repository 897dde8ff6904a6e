"""Which converter reads a folder or file."""

from __future__ import annotations

from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert import amazon_2018, amazon_2023, hm, movielens, recbole
from msm4sr_lite.dataset.convert.records import Converter, Source

FORMATS: dict[str, Converter] = {
    "amazon-2018": amazon_2018,
    "amazon-2023": amazon_2023,
    "movielens": movielens,
    "recbole": recbole,
    "hm": hm,
}


def find_source(path: Path, format: str = "") -> tuple[Converter, Source]:
    """Return the converter for a folder or file, and the files it found there.

    Parameters
    ----------
    path
        A folder that holds the files, or the file of interactions itself.
    format
        A key of ``FORMATS``; empty: the only one whose files are there.

    Raises
    ------
    UserError
        If the files are not there, or are those of several formats.
    """
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
            source = converter.find(path)
        except UserError as error:
            errors.append(error)
            continue
        if source:
            found[key] = (converter, source)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UserError(f"{path}: could be {' or '.join(found)}; name the format (--from)")
    if errors:
        raise errors[0]
    wanted = "; ".join(f"{key}: {converter.FILES}" for key, converter in tried.items())
    raise UserError(f"{path}: nothing here that can be converted; looked for {wanted}")
