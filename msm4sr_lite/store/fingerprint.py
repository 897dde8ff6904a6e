"""Short hashes and file stamps: whether something is still what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msm4sr_lite

if TYPE_CHECKING:
    from torch import nn

    from msm4sr_lite.sequences import Sequences


def fingerprint(value: Any) -> str:
    """Return a short hash of a value that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_sequences(sequences: Sequences) -> str:
    """Return a short hash of all interactions and of their split."""
    digest = hashlib.sha256(json.dumps([sequences.users, sequences.items]).encode())
    digest.update(sequences.interactions.tobytes() + sequences.offsets.tobytes())
    digest.update(b"" if sequences.cuts is None else sequences.cuts.tobytes())
    return digest.hexdigest()[:16]


def fingerprint_interactions(sequences: Sequences) -> str:
    """Return a short hash of who interacted with what, whatever the order of the item table."""
    items = [sequences.items[number] for number in sequences.interactions.tolist()]
    return fingerprint([sequences.users, items, sequences.bounds().tolist()])


def fingerprint_weights(model: nn.Module) -> str:
    """Return a short hash of all weights of a model."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file, to notice its replacement without reading it."""
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def folder_stamp(name: str) -> dict[str, tuple[int, int] | None]:
    """Return the stamp of every file in a model folder; empty for a hub id."""
    folder = Path(name)
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): file_stamp(path) for path in files}


def versions(*names: str) -> dict[str, str]:
    """Return the versions of this library and of the packages named."""
    return {"msm4sr_lite": msm4sr_lite.__version__, **{n: metadata.version(n) for n in names}}


def first_difference(
    keys: Sequence[str], this: dict[str, Any], other: dict[str, Any]
) -> str | None:
    """Return the first of ``keys`` that both descriptions have with different values, or None."""
    shared = (key for key in keys if key in this and key in other)
    return next((key for key in shared if this[key] != other[key]), None)
