"""From sentences to vectors: the BERT that reads them, and the feature table.

Every item gets *slots*: one vector per sentence of its text, and one vector per picture. A
picture enters as the sentence of its keywords (see ``keywords``), read by the same BERT as the
text, so both modalities live in one space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
import torch

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features.pretrained import load_pretrained, longest_input, trained_pooling


class TextEncoder:
    """A BERT that turns sentences into vectors.

    Parameters
    ----------
    name
        Local folder or hub id of any BERT-like encoder with safetensors weights.
    pooling
        ``mean`` of the token vectors; ``cls``, the first token's; or ``auto``, what the model was
        trained with if its folder says so, as those of sentence-transformers do, else ``mean``.
    device
        Where it runs.
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

    @torch.inference_mode()
    def encode(
        self,
        sentences: Sequence[str],
        batch_size: int = 64,
        progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    ) -> np.ndarray:
        """Return float16 vectors, shape ``(sentences, width)``; equal sentences are read once."""
        unique = sorted(set(sentences), key=lambda s: (len(s), s))  # alike lengths: little padding
        rows = np.empty((len(unique), self.width), dtype=np.float16)
        cut = {"truncation": True, "max_length": self.max_length}
        for start in progress(range(0, len(unique), batch_size)):
            batch = unique[start : start + batch_size]
            tokens = self.tokenizer(batch, padding=True, return_tensors="pt", **cut).to(self.device)
            states = self.model(**tokens).last_hidden_state
            if self.pooling == "cls":
                vectors = states[:, 0]
            else:
                real = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                vectors = (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
            rows[start : start + len(batch)] = vectors.float().cpu().numpy()
        place = {sentence: row for row, sentence in enumerate(unique)}
        return rows[[place[sentence] for sentence in sentences]] if sentences else rows
