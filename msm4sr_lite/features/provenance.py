"""What features are made with: the encoders, each as a name and short hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.store.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
    from msm4sr_lite.features.text_encoder import TextEncoder


def describe_text_encoder(encoder: TextEncoder) -> dict[str, Any]:
    """Return name, pooling, and hashes of the weights, configuration and tokenizer."""
    return {
        "name": _public(encoder.name),
        "pooling": encoder.pooling,
        "weights": weight_hash(encoder.model),
        "config": _config_hash(encoder.model),
        "tokenizer": _tokenizer_hash(encoder.tokenizer),
    }


def describe_tokenizer(tokenizer: KeywordTokenizer) -> dict[str, Any]:
    """Return what determines the keywords.

    These are the CLIP model's name and hashes of its weights, configuration, tokenizer and image
    processor; the prompt and the settings of the choice; size and hash of the dictionary.
    """
    processor = tokenizer.image_processor
    return {
        "clip": _public(tokenizer.name),
        "weights": weight_hash(tokenizer.model),
        "config": _config_hash(tokenizer.model),
        "tokenizer": _tokenizer_hash(tokenizer.tokenizer),
        "processor": fingerprint([type(processor).__name__, processor.to_dict()]),
        "prompt": tokenizer.prompt,
        "threshold": tokenizer.threshold,
        "diversity": tokenizer.diversity,
        "dictionary_size": len(tokenizer.dictionary),
        "dictionary": hashlib.sha256("\n".join(tokenizer.dictionary).encode()).hexdigest()[:16],
    }


def weight_hash(model: nn.Module) -> str:
    """Return a short hash of all weights; equal for two encoders with the same weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _config_hash(model: Any) -> str:
    """Return a hash of a model's configuration, whatever folder and version saved it."""
    unneeded = {"_name_or_path", "transformers_version"}
    return fingerprint({k: v for k, v in model.config.to_dict().items() if k not in unneeded})


def _tokenizer_hash(tokenizer: Any) -> str:
    """Return a hash of how a tokenizer splits text, whatever padding its last call used."""
    if not getattr(tokenizer, "is_fast", False):
        return fingerprint(tokenizer.get_vocab())
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return fingerprint({k: v for k, v in state.items() if k not in ("padding", "truncation")})


def _public(name: str) -> str:
    """Return a hub id as it is, and of a local folder the last part of its path only."""
    return Path(name).name if Path(name).is_dir() else name
