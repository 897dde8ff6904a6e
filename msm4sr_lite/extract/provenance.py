"""What a manifest records about the encoders that made the features."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from msm4sr_lite.features import TextEncoder
    from msm4sr_lite.keywords import KeywordTokenizer


def describe_text_encoder(encoder: TextEncoder) -> dict[str, Any]:
    """Return name, pooling and weight hash."""
    return {
        "name": _public(encoder.name),
        "pooling": encoder.pooling,
        "weights": weight_hash(encoder.model),
    }


def describe_tokenizer(tokenizer: KeywordTokenizer) -> dict[str, Any]:
    """Return the CLIP model's name and weight hash, the prompt, the dictionary's size and hash."""
    return {
        "clip": _public(tokenizer.name),
        "weights": weight_hash(tokenizer.model),
        "prompt": tokenizer.prompt,
        "dictionary_words": len(tokenizer.dictionary),
        "dictionary": hashlib.sha256("\n".join(tokenizer.dictionary).encode()).hexdigest()[:16],
    }


def weight_hash(model: nn.Module) -> str:
    """Return a short hash of all weights, to tell whether two encoders are the same."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _public(name: str) -> str:
    """Return a hub id as it is, but of a local folder only its last part."""
    return Path(name).name if Path(name).is_dir() else name
