"""Results of finished runs, one file each, so that a stopped study resumes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msm4sr_lite.progress import say
from msm4sr_lite.store.files import read_json, write_json
from msm4sr_lite.store.fingerprint import fingerprint


class Runs:
    """Results of runs, kept in a folder.

    Parameters
    ----------
    folder
        The folder; it is made when the first result is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, made_from: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a stored result, or make and store it.

        Parameters
        ----------
        name
            Name of the run. Results of one name that are made from different inputs are all kept.
        made_from
            Everything that the result depends on, ready for JSON.
        make
            Returns the result, ready for JSON; ``seconds`` is added.

        Raises
        ------
        UserError
            If the stored result cannot be read.
        """
        made = fingerprint(made_from)
        path = self.folder / f"{re.sub(r'[^A-Za-z0-9.+_-]', '_', name)}.{made}.json"
        if path.is_file():
            found: dict[str, Any] = read_json(path)
            return found
        start = time.perf_counter()
        result = make()
        seconds = round(time.perf_counter() - start, 1)
        write_json(path, {"made_from": made_from, **result, "seconds": seconds})
        say(f"study: {name}, {seconds:.0f} s")
        return {**result, "seconds": seconds}
