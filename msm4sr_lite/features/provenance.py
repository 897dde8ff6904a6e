"""What features are made from: encoders, versions, files, each as a name or a short hash."""

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
