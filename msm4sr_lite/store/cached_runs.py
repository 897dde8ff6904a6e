"""Finished runs of a study, each in a file of its own: a study that was stopped goes on there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint


class Runs:
    """A folder of results.

    Parameters
    ----------
    folder
        Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, made_from: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a result, made now unless it has been made from exactly this before.

        Parameters
        ----------
        name
            Of the file; several results of one name may stand beside each other.
        made_from
            All that the result depends on, as JSON can hold it.
        make
            Makes it; what it returns must be fit for JSON. ``seconds`` is added.
        """
        made = fingerprint(made_from)
        path = self.folder / f"{re.sub(r'[^A-Za-z0-9.+_-]', '_', name)}.{made}.json"
        if path.is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{path}: cannot be read ({error}); delete it") from None
            return found
        start = time.perf_counter()
        result = make()
        seconds = round(time.perf_counter() - start, 1)
        write_json(path, {"made_from": made_from, **result, "seconds": seconds})
        say(f"study: {name}, {seconds:.0f} s")
        return {**result, "seconds": seconds}
