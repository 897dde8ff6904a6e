"""Find the file that an image name means, although its spelling differs from the file's name."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from msm4sr_lite.config import UserError
from msm4sr_lite.printable import reason_of


class ImageError(UserError):
    """An image that cannot be used; other images are not affected."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reason = reason


def find_image(root: Path, name: str) -> Path:
    """Return the path of the file that an image name means.

    A file with exactly this name comes first. Otherwise it is the only file whose name differs in
    nothing but upper and lower case, the Unicode form of accented letters, ``%20`` or the like for
    other characters, and the backslashes of Windows. Each folder is listed once, not for each name.

    Parameters
    ----------
    root
        The folder that image names are relative to.
    name
        The image's path in it.

    Raises
    ------
    ImageError
        If there is no such file, or more than one; if it lies outside the folder, or is not a
        regular file.
    """
    if re.match(r"([a-z][a-z0-9+.-]*:)?//|data:", name, re.IGNORECASE):
        raise ImageError(name[:200], "a URL, not a file; download the image into images/")
    if "\0" in name:
        raise ImageError(name, "no file name may contain a NUL character; correct the name")
    path = root / name
    try:
        if not path.is_file():
            found = _alike(root, name)
            if len(found) > 1:
                names = " and ".join(repr(str(file.relative_to(root))) for file in found[:2])
                raise ValueError(f"may be {names}; rename one of them")
            path = next(iter(found), path)
        path.stat()  # raises if it does not exist
        if not path.resolve().is_relative_to(root.resolve()):
            raise ValueError("lies outside the dataset folder; move it to images/")
        if not path.is_file():
            raise ValueError("not a regular file; name an image file")  # a pipe would never end
    except (OSError, ValueError) as error:
        raise ImageError(name, reason_of(error)) from None
    return path


def name_key(name: str) -> str:
    """Return what all spellings of a file name have in common.

    >>> name_key("Red%20Mug.JPG")
    'red mug.jpg'
    """
    folded = unicodedata.normalize("NFD", unquote(name)).casefold()
    return unicodedata.normalize("NFD", folded)


def _alike(root: Path, name: str) -> list[Path]:
    """Return the files below ``root`` whose path has the same key as ``name``."""
    found = [root]
    for part in unquote(name).replace("\\", "/").split("/"):
        if part == "..":
            return []
        if part not in ("", "."):
            folders = [list_folder(path) for path in found if path.is_dir()]
            found = [path for folder in folders for path in folder.get(name_key(part), [])]
    return [path for path in found if path.is_file()]


def list_folder(folder: Path) -> dict[str, list[Path]]:
    """Return the files and folders in a folder by the key of their name."""
    return _list(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _list(folder: Path, changed: int) -> dict[str, list[Path]]:
    """List a folder; ``changed``, its modification time, shows whether an older list is valid."""
    found: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        found.setdefault(name_key(path.name), []).append(path)
    return found
