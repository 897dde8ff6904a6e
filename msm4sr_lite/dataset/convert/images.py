"""Image files in a folder, named by item id: found, and linked or copied into a dataset."""

from __future__ import annotations

import os
import shutil
from array import array
from pathlib import Path

import numpy as np

from msm4sr_lite.config import UserError

ENDINGS = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"}


class ImageFolder:
    """Finds ``<name>.jpg`` (or another usual ending) anywhere below a folder.

    It keeps 16 bytes per image: a hash of its name, and the numbers of its folder and ending. Where
    a name occurs twice, the first in alphabetical order of the folders counts.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; images must be in a folder")
        self.folder = folder
        self._folders: list[str] = []
        self._endings: list[str] = []
        hashes, where = array("q"), array("q")
        for parent, below, names in os.walk(folder):
            below.sort()
            relative = Path(parent).relative_to(folder).as_posix()
            if "\\" in relative:  # a dataset folder must be readable on every system
                continue
            self._folders.append(relative)
            for name in sorted(names):
                stem, _, ending = name.rpartition(".")
                if ending.lower() not in ENDINGS or "\\" in stem:
                    continue
                if ending not in self._endings:
                    self._endings.append(ending)
                hashes.append(hash(stem))
                where.append(len(self._folders) - 1 << 16 | self._endings.index(ending))
        keys = np.frombuffer(hashes, np.int64) if hashes else np.empty(0, np.int64)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._where = np.frombuffer(where, np.int64)[order] if where else keys

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, name: str) -> str:
        """Return the path of an image relative to the folder; empty if there is none."""
        key = hash(name)
        place = int(np.searchsorted(self._keys, key))
        while place < len(self._keys) and self._keys[place] == key:
            folder, ending = divmod(int(self._where[place]), 1 << 16)
            path = (Path(self._folders[folder]) / f"{name}.{self._endings[ending]}").as_posix()
            if "/" not in name and (self.folder / path).is_file():
                return path
            place += 1
        return ""

    def bring(self, path: str, target: Path, *, copy: bool) -> None:
        """Put one image below ``target``: a hard link where the disk allows it, else a copy."""
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.exists():
            return
        original = (self.folder / path).resolve()
        if not copy:
            try:
                os.link(original, destination)
            except OSError:
                pass
            else:
                return
        shutil.copyfile(original, destination)
