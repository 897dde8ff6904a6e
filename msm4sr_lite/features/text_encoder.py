"""Turn sentences into embeddings with a BERT-like encoder.

The same encoder reads the sentences of an item's text and the keywords of its images. Both
modalities therefore share one embedding space.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features.pretrained import (
    describe_model,
    load_pretrained,
    longest_input,
    trained_pooling,
)
from msm4sr_lite.store.fingerprint import require_same


class TextEncoder:
    """A BERT-like encoder that turns sentences into embeddings.

    Parameters
    ----------
    name
        Local folder or hub id of any BERT-like encoder with safetensors weights.
    pooling
        ``mean`` of the token embeddings; ``cls``, the embedding of the first token; or ``auto``,
        the pooling that a sentence-transformers folder names, and ``mean`` for other folders.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    UserError
        If the model is not found, cannot be loaded, or is not an encoder.
    """

    def __init__(
        self,
        name: str = DEFAULT_TEXT_ENCODER,
        pooling: Literal["auto", "mean", "cls"] = "auto",
        device: str = "cpu",
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.name, self.device = name, device
        self.pooling = trained_pooling(name) if pooling == "auto" else pooling
        self.tokenizer = load_pretrained(AutoTokenizer, name)
        self.model = load_pretrained(AutoModel, name, use_safetensors=True).eval().to(device)
        config = self.model.config
        if config.is_encoder_decoder or not hasattr(config, "hidden_size"):
            raise UserError(
                f"{name}: a model of type {config.model_type!r}, not a BERT-like text encoder;"
                f" give one like {DEFAULT_TEXT_ENCODER}"
            )
        self.width = int(config.hidden_size)
        self.max_length = longest_input(self.model, self.tokenizer)

    def describe(self) -> dict[str, str]:
        """Return the pooling, the name, and hashes of the weights, configuration and tokenizer."""
        return {"pooling": self.pooling, **describe_model(self.name, self.model, self.tokenizer)}

    @torch.inference_mode()
    def encode(
        self,
        sentences: Sequence[str],
        batch_size: int = 64,
        advance: Callable[[int], object] = lambda count: None,
    ) -> np.ndarray:
        """Return float16 embeddings ``(sentences, width)``; equal sentences are encoded once.

        Parameters
        ----------
        sentences
            The texts; a text that is too long for the model is cut off.
        batch_size
            Number of sentences in one forward pass.
        advance
            ``advance(n)`` is called after every pass, with its number of sentences.
        """
        # Sentences of similar length share a batch, so there is little padding.
        unique = sorted(set(sentences), key=lambda s: (len(s), s))
        embeddings = np.empty((len(unique), self.width), dtype=np.float16)
        cut = {"truncation": True, "max_length": self.max_length}
        for start in range(0, len(unique), batch_size):
            batch = unique[start : start + batch_size]
            tokens = self.tokenizer(batch, padding=True, return_tensors="pt", **cut).to(self.device)
            states = self.model(**tokens).last_hidden_state
            if self.pooling == "cls":
                pooled = states[:, 0]
            else:
                valid = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                pooled = (states * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
            embeddings[start : start + len(batch)] = pooled.float().cpu().numpy()
            advance(len(batch))
        row = {sentence: number for number, sentence in enumerate(unique)}
        return embeddings[[row[sentence] for sentence in sentences]] if sentences else embeddings


def load_table_encoder(
    manifest: Mapping[str, Any], device: str = "cpu", name: str | None = None
) -> TextEncoder:
    """Load the text encoder that made a feature table, from ``name`` if that is given.

    Raises
    ------
    UserError
        If its weights are not found, or differ from those that made the table.
    """
    made = manifest.get("text_encoder", {})
    name = name or made.get("name")
    if not name:
        raise UserError("manifest.json names no text encoder; compute the features again")
    encoder = TextEncoder(name, made.get("pooling", "auto"), device)
    difference = f"{name} differs from the text encoder that made the features"
    remedy = "give that encoder, or compute the features again"
    require_same(difference, encoder.describe(), made, remedy)
    return encoder
