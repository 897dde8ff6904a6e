"""What features are made from: encoders, versions, files, each as a name or a short hash."""

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

    from msm4sr_lite.features import TextEncoder
    from msm4sr_lite.keywords import KeywordTokenizer


def describe_text_encoder(encoder: TextEncoder) -> dict[str, Any]:
    """Return name, pooling, and the hashes of weights, configuration and tokenizer."""
    return {
        "name": _public(encoder.name),
        "pooling": encoder.pooling,
        "weights": weight_hash(encoder.model),
        "config": _config_hash(encoder.model),
        "tokenizer": _tokenizer_hash(encoder.tokenizer),
    }


def describe_tokenizer(tokenizer: KeywordTokenizer) -> dict[str, Any]:
    """Return what makes the keywords.

    The CLIP model's name and the hashes of its weights, configuration, tokenizer and picture
    processor; the prompt and how words are chosen; the dictionary's size and hash.
    """
    return {
        "clip": _public(tokenizer.name),
        "weights": weight_hash(tokenizer.model),
        "config": _config_hash(tokenizer.model),
        "tokenizer": _tokenizer_hash(tokenizer.tokenizer),
        "processor": fingerprint([type(tokenizer.images).__name__, tokenizer.images.to_dict()]),
        "prompt": tokenizer.prompt,
        "threshold": tokenizer.threshold,
        "diversity": tokenizer.diversity,
        "dictionary_words": len(tokenizer.dictionary),
        "dictionary": hashlib.sha256("\n".join(tokenizer.dictionary).encode()).hexdigest()[:16],
    }


def first_difference(
    keys: Sequence[str], this: dict[str, Any], other: dict[str, Any]
) -> str | None:
    """Return the first of ``keys`` in which two descriptions differ; silence is no difference."""
    told = (key for key in keys if key in this and key in other)
    return next((key for key in told if this[key] != other[key]), None)


def versions(*names: str) -> dict[str, str]:
    """Return the versions of this library and of others."""
    return {"msm4sr_lite": msm4sr_lite.__version__, **{n: metadata.version(n) for n in names}}


def fingerprint(value: Any) -> str:
    """Return a short hash of a value that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file: enough to notice its replacement without reading it."""
    if not path.is_file():
        return None
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def folder_stamp(name: str) -> dict[str, tuple[int, int] | None]:
    """Return the stamps of a model folder's files; nothing for the id of a model on the hub."""
    folder = Path(name)
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): stamp(path) for path in files}


def weight_hash(model: nn.Module) -> str:
    """Return a short hash of all weights, to tell whether two encoders are the same."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _config_hash(model: Any) -> str:
    """Return a hash of a model's configuration, without where and by what it was saved."""
    unneeded = {"_name_or_path", "transformers_version"}
    return fingerprint({k: v for k, v in model.config.to_dict().items() if k not in unneeded})


def _tokenizer_hash(tokenizer: Any) -> str:
    """Return a hash of how a tokenizer cuts text, without the padding of its last call."""
    if not getattr(tokenizer, "is_fast", False):
        return fingerprint(tokenizer.get_vocab())
    facts = json.loads(tokenizer.backend_tokenizer.to_str())
    return fingerprint({k: v for k, v in facts.items() if k not in ("padding", "truncation")})


def _public(name: str) -> str:
    """Return a hub id as it is, but of a local folder only its last part."""
    return Path(name).name if Path(name).is_dir() else name
