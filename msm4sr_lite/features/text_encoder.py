"""Turn sentences into embeddings with a BERT-like encoder.

The same encoder reads the sentences of an item's text and the keywords of its images. Both
modalities therefore share one embedding space.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features.pretrained import (
    check_embeddings,
    describe_model,
    load_pretrained,
    longest_input,
    model_folder,
)
from msm4sr_lite.features.sentence_transformers import OTHER, read_sentence_model
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights, require_same

PLACE = "text_encoder_path"  # in the manifest of a table: the folder of a local encoder


class TextEncoder:
    """A BERT-like encoder that turns sentences into embeddings.

    Parameters
    ----------
    name
        Local folder or hub id of any BERT-like encoder with safetensors weights.
    pooling
        ``mean`` of the token embeddings; ``cls``, the embedding of the first token; or ``auto``: a
        sentence-transformers folder is followed with all its modules, and others get ``mean``. The
        prompt, the maximum length and the lower case that such a folder sets hold in any case.
    device
        ``cpu`` or ``cuda``.

    Attributes
    ----------
    pooling
        Pooling and later modules in words: ``mean``, ``cls + Dense 768 to 64 Tanh``.
    width, max_length
        Width of the embeddings; longest input in tokens.

    Raises
    ------
    UserError
        If the model is not found, cannot be loaded, is not an encoder, or has another pooling.
    """

    def __init__(
        self, name: str = DEFAULT_TEXT_ENCODER, pooling: str = "auto", device: str = "cpu"
    ) -> None:
        self.name, self.device = name, device
        # The closing Normalize of the default encoder is left out: so are the sample's features.
        default = name.partition("@")[0] == DEFAULT_TEXT_ENCODER.partition("@")[0]
        folder, wanted = model_folder(name), "mean" if default and pooling == "auto" else pooling
        self._texts = texts = read_sentence_model(folder, wanted)
        self.pooling = texts.pooling
        if wanted not in ("auto", self.pooling):
            raise UserError(f"{name}: the pooling is {self.pooling}, not {wanted}; give auto")
        source = str(folder / texts.path) if texts.path else name
        self.tokenizer = load_pretrained("AutoTokenizer", source)
        self.model = load_pretrained("AutoModel", source, use_safetensors=True).eval().to(device)
        texts.layers.eval().to(device)
        config = self.model.config
        if config.is_encoder_decoder or not hasattr(config, "hidden_size"):
            raise UserError(
                f"{name}: a model of type {config.model_type!r}, not a BERT-like text encoder;"
                f" give one like {DEFAULT_TEXT_ENCODER}"
            )
        self.width = int(config.hidden_size) * len(texts.kinds)
        for layer in texts.layers:
            self.width = getattr(layer, "out_features", self.width)
        limit = 512
        if texts.max_length:  # replaces the limit of the tokenizer
            self.tokenizer.model_max_length = limit = texts.max_length
        elif texts.max_length == 0:
            limit = max(0, getattr(config, "max_position_embeddings", 0)) or limit
        self.max_length = longest_input(self.model, self.tokenizer, limit)
        tokens = self.tokenizer(texts.prepare("").rstrip())["input_ids"] if texts.prompt else [0]
        self._prompt_tokens = len(tokens) - (tokens[-1] in self.tokenizer.all_special_ids)
        try:
            check_embeddings(name, self._encode_batch(["red mug", "A tent for two people."]))
        except UserError:
            raise
        except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise UserError(
                f"{name}: a model of type {config.model_type!r}, which does not encode texts as"
                f" BERT does: {first_line(error)}"
            ) from error

    def describe(self) -> dict[str, str]:
        """Return pooling, name, prompt, and hashes of weights, configuration and tokenizer."""
        texts = self._texts
        found = {"pooling": self.pooling, **describe_model(self.name, self.model, self.tokenizer)}
        if any(True for _ in texts.layers.parameters()):
            found["weights"] = fingerprint([found["weights"], fingerprint_weights(texts.layers)])
        if texts.reading != "{}":
            found |= {
                "prompt": texts.reading,
                "config": fingerprint([found["config"], texts.reading]),
            }
        return found

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
        for start in range(0, len(unique), batch_size):
            batch = unique[start : start + batch_size]
            embeddings[start : start + len(batch)] = self._encode_batch(batch)
            advance(len(batch))
        row = {sentence: number for number, sentence in enumerate(unique)}
        return embeddings[[row[sentence] for sentence in sentences]] if sentences else embeddings

    @torch.inference_mode()
    def _encode_batch(self, batch: Sequence[str]) -> np.ndarray:
        cut = {"truncation": True, "max_length": self.max_length}
        prepared = [*map(self._texts.prepare, batch)]
        tokens = self.tokenizer(prepared, padding=True, return_tensors="pt", **cut).to(self.device)
        states = self.model(**tokens).last_hidden_state
        pooled = self._texts.pool(states, tokens["attention_mask"], self._prompt_tokens)
        pooled = pooled.to(torch.float16)
        if not pooled.isfinite().all():
            raise UserError(f"{self.name}: embeddings are not finite in float16; {OTHER}")
        return pooled.cpu().numpy()


def known_text_encoder(manifest: Mapping[str, Any], name: str | None) -> str | None:
    """Return where the local text encoder of a table is; ``name`` if it is not a local one."""
    place = manifest.get(PLACE)
    is_here = place is None or (name and Path(name).is_dir())
    return place or (name if is_here else None)


def load_table_encoder(
    manifest: Mapping[str, Any], device: str = "cpu", name: str | None = None
) -> TextEncoder:
    """Load the text encoder that made a feature table, from ``name`` if that is given.

    A local encoder is loaded from where it lay when the table was made.

    Raises
    ------
    UserError
        If its weights are not found, or differ from those that made the table.
    """
    made = manifest.get("text_encoder", {})
    place, called = manifest.get(PLACE), made.get("name")
    if name in (None, place) and place is not None and not (place and Path(place).is_dir()):
        where = f"is no longer in {place}" if place else "was in a local folder"
        raise UserError(
            f"the text encoder {called!r} of the features {where}; give its folder as text_encoder"
            f" (--text-encoder)"
        )
    name = name or place or called
    if not name:
        raise UserError("manifest.json names no text encoder; compute the features again")
    encoder = TextEncoder(name, made.get("pooling", "auto"), device)
    difference = f"{name} differs from the text encoder that made the features"
    remedy = "give that encoder, or compute the features again"
    require_same(difference, encoder.describe(), made, remedy)
    return encoder
