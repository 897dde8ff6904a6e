"""Short hashes and file stamps, which show whether inputs have changed."""

import hashlib
import json
import stat
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

import msm4sr_lite
from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences

# What decides embeddings or keywords. ``identity`` is a hash of all that decides embeddings; it
# comes after its parts, so that a message names the part.
DECISIVE = ("weights", "pooling", "prompt", "identity", "threshold", "diversity", "dictionary")


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
    """Return a short hash of all interactions that ignores the order of the item table."""
    items = [sequences.items[number] for number in sequences.interactions.tolist()]
    return fingerprint([sequences.users, items, sequences.bounds().tolist()])


def fingerprint_weights(model: nn.Module) -> str:
    """Return a short hash of all weights of a model that come from its files.

    ``load_pretrained`` names those that do not, such as an unused pooler: they are random.
    """
    digest, random = hashlib.sha256(), getattr(model, "absent_weights", ())
    for name, tensor in sorted(model.state_dict().items()):
        if name not in random:
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return size and modification time of a file, which reveal a change without reading it."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # missing, or no name that a file can have
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def local_path(name: str) -> Path | None:
    """Return the folder or file of this name, in which ``~`` is the home folder; None for none."""
    if not name.strip():
        raise UserError("the name of a model is empty; give a folder or hub id, or leave it out")
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # no name that a file can have
        return None


def folder_stamp(name: str) -> dict[str, tuple[int, int] | None]:
    """Return the stamp of every file in a model folder; empty for a hub id."""
    folder = local_path(name)
    if folder is None:
        return {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): file_stamp(path) for path in files}


def versions(*names: str) -> dict[str, str]:
    """Return the versions of this library and of the packages named."""
    return {"msm4sr_lite": msm4sr_lite.__version__, **{n: metadata.version(n) for n in names}}


def require_same(
    difference: str, this: Mapping[str, Any], other: Mapping[str, Any], remedy: str
) -> None:
    """Raise a ``UserError`` if two descriptions of an encoder differ.

    The message consists of ``difference``, the property with both values, and ``remedy``. A
    description by an older version has no identity. It is believed for an encoder from the hub,
    whose name and weights stand for its other files, but not for a local folder.
    """
    for key in DECISIVE:
        if key in this and key in other and this[key] != other[key]:
            what = key if key != "identity" else "configuration, tokenizer or longest input"
            raise UserError(f"{difference} in {what} ({this[key]}, not {other[key]}); {remedy}")
    if ("identity" in this) != ("identity" in other):
        names = [str(d.get("name", d.get("clip", ""))).partition("@")[0] for d in (this, other)]
        if all(names) and (names[0] != names[1] or "/" not in names[0]):
            raise UserError(
                f"{difference}, or cannot be compared, since one was recorded without configuration"
                f" and tokenizer; {remedy}"
            )
