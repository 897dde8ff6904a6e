"""Records of what stages and runs were made from, so that none runs twice, and the access log."""

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import say
from msm4sr_lite.settings import in_one_line
from msm4sr_lite.store.files import recover, write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.store.schemas import Access, read_json

RUN_AGAIN = "delete this file to run it again"


def require_run_dir(run_dir: object, dataset_folder: Path | None = None) -> Path | None:
    """Return the run folder that a caller names; None if it is None.

    Raises
    ------
    UserError
        If it is not the name of a folder, or is the dataset folder.
    """
    if run_dir is None:
        return None
    if not isinstance(run_dir, (str, Path)) or not str(run_dir).strip() or "\0" in str(run_dir):
        got = in_one_line(run_dir)
        raise UserError(f"run_dir must be the name of a folder; got {got}; leave it out for none")
    folder = Path(run_dir)
    if dataset_folder and folder.resolve() == dataset_folder.resolve():
        raise UserError(f"{folder}: is the dataset folder; choose another folder for the run")
    return folder


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a finished stage; empty if there is none."""
    for name in ("record.json", "manifest.json", "ensemble.json"):
        if (folder / name).exists():
            remedy = "restore a copy, or delete the folder and make it again"
            found: dict[str, Any] = read_json(folder / name, dict[str, Any], remedy)
            return found
    return {}


def write_record(folder: Path, made_from: Any, record: dict[str, Any]) -> None:
    """Write the record of a stage, with the fingerprint of what the stage was made from."""
    write_json(folder / "record.json", {"made_from": fingerprint(made_from), **record})


def is_finished(folder: Path, made_from: Any) -> bool:
    """Return whether ``folder`` holds a stage made from exactly this, and print the answer."""
    recover(folder.parent, folder.name)
    found = read_record(folder).get("made_from")
    if found == fingerprint(made_from):
        say(f"{folder.name}: done already")
        return True
    if found:
        say(f"{folder.name}: an input or a setting has changed; running again")
    return False


def cached_run(
    folder: Path, name: str, made_from: Any, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return the stored result of a run; if there is none, make and store it.

    Parameters
    ----------
    folder
        Folder with one file per run; it is created with the first result.
    name
        Name of the run. Results of the same name from different inputs are all kept.
    made_from
        Everything that the result depends on, ready for JSON.
    make
        Returns the result, ready for JSON; ``seconds`` is added.

    Raises
    ------
    UserError
        If the stored result cannot be read.
    """
    file_name = re.sub(r"[^A-Za-z0-9.+_-]", "_", name)
    path = folder / f"{file_name}.{fingerprint(made_from)}.json"
    if not path.exists():
        start = time.perf_counter()
        result = {"made_from": made_from, **make()}
        result["seconds"] = round(time.perf_counter() - start, 1)
        write_json(path, {**result, "checksum": fingerprint(json.loads(json.dumps(result)))})
        say(f"study: {name}, {result['seconds']:.0f} s")
    return read_run(path)


def read_run(path: Path) -> dict[str, Any]:
    """Return the stored result of a run.

    Raises
    ------
    UserError
        If the file cannot be read, has changed since it was written, or is the copy of another run.
    """
    found: dict[str, Any] = read_json(path, dict[str, Any], RUN_AGAIN)
    if found.pop("checksum", None) != fingerprint(found):
        raise UserError(f"{path}: has changed since it was written; {RUN_AGAIN}")
    if not path.stem.endswith(f".{fingerprint(found.get('made_from'))}"):
        raise UserError(f"{path}: holds the result of another run; {RUN_AGAIN}")
    return found


def log_access(folder: Path, access: dict[str, Any]) -> None:
    """Add a use of the test part to ``folder/access_log.json``: when, and with which model.

    An access that is already in the log is not added again.
    """
    lock = folder.resolve() / ".access_log.lock"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=60):  # evaluations at the same time lose no entry
        known = read_access_log(folder)
        if all({k: v for k, v in one.items() if k != "when"} != access for one in known):
            when = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(folder / "access_log.json", [*known, {"when": when, **access}])
        with suppress(OSError):  # on Windows, releasing the lock removes the file
            lock.unlink()


def read_access_log(folder: Path) -> list[dict[str, Any]]:
    """Return all accesses to the test part that a folder's log lists."""
    path = folder / "access_log.json"
    if not path.exists():
        return []
    found: list[dict[str, Any]] = read_json(path, list[Access])
    return found
