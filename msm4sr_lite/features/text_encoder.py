"""Turn sentences into embeddings with a BERT-like encoder.

The same encoder reads the sentences of an item's text and the keywords of its images. Both
modalities therefore share one embedding space.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features import pretrained
from msm4sr_lite.features.sentence_transformers import OTHER, read_sentence_model
from msm4sr_lite.settings import in_one_line
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights, require_same

# In the manifest of a table, and in that of its keywords: the folder of a local encoder.
PLACE, CLIP_PLACE = "text_encoder_path", "clip_path"
# Common words with different first letters: no two are alike, however few tokens are read.
WORDS = ["red", "blue", "shoe", "wood", "tent", "mug", "apple", "cotton", "garden", "knife", "lid"]


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
        Pooling and later modules in words: ``mean``, ``cls + Linear + Tanh``.
    reading
        How a text, ``{}``, is read: ``query: {}, lower case, at most 256 tokens``.
    width, max_length
        Width of the embeddings; longest input in tokens.
    folder
        Where the model was found.

    Raises
    ------
    UserError
        If the model is not found, cannot be loaded, is not an encoder, does not know common words,
        or has another pooling; or if the other texts of a batch change an embedding.
    """

    def __init__(
        self, name: str = DEFAULT_TEXT_ENCODER, pooling: str = "auto", device: str = "cpu"
    ) -> None:
        self.name, self.device = name, device
        # The closing Normalize of the default encoder is left out: so are the sample's features.
        wanted = "mean" if pooling == "auto" and is_default(name) else pooling
        self.folder, folder = pretrained.find_pretrained(name)
        self._texts = texts = read_sentence_model(self.folder, wanted)
        self.pooling = texts.pooling
        if wanted not in ("auto", self.pooling):
            raise UserError(f"{name}: the pooling is {self.pooling}, not {wanted}; give auto")
        if texts.path:
            folder = pretrained.find_pretrained(str(self.folder / texts.path))[1]
        self.tokenizer = pretrained.load_pretrained("AutoTokenizer", name, folder)
        self.model = pretrained.load_pretrained("AutoModel", name, folder).eval().to(device)
        texts.layers.eval().to(device)
        config = self.model.config
        if not hasattr(config, "hidden_size"):
            raise pretrained.not_a_text_encoder(name, self.model)
        positions = max(0, getattr(config, "max_position_embeddings", 0) or 0)
        limit = texts.max_length or (positions if texts.max_length == 0 else 0) or 512
        if texts.max_length:  # replaces the limit of the tokenizer
            self.tokenizer.model_max_length = limit
        longest = min(limit, positions or limit)
        self.max_length = pretrained.longest_input(self.model, self.tokenizer, longest)
        self.reading = f"{texts.reading}, at most {self.max_length} tokens"
        self._prompt_tokens = 0
        if not texts.include_prompt:
            tokens = self.tokenizer(texts.prepare("").rstrip(), verbose=False)["input_ids"]
            self._prompt_tokens = len(tokens) - (tokens[-1] in self.tokenizer.all_special_ids)
        self.width = self._check().shape[1]

    def _check(self) -> np.ndarray:
        """Return embeddings of words; refuse a model that knows no words, or mixes up texts."""
        if self.max_length <= max(1, self.tokenizer.num_special_tokens_to_add()):
            raise UserError(f"{self.name}: reads {self.max_length} tokens only, too few for a text")
        tokens = self.tokenizer(WORDS, add_special_tokens=False)["input_ids"]
        unknown = sum(self.tokenizer.unk_token_id in one for one in tokens)
        if unknown > len(WORDS) / 4:
            problem = f"the tokenizer does not know {unknown} of {len(WORDS)} common words"
            raise UserError(f"{self.name}: {problem}; it is damaged, or for another language")
        pretrained.check_embeddings(self.name, embeddings := self._encode_batch(WORDS))
        # A text of full length: a model may have too few positions for what its tokenizer allows.
        self._encode_batch([" ".join(WORDS * (min(self.max_length, 1024) // len(WORDS) + 1))])
        texts = [WORDS[0]], [WORDS[0], " ".join(WORDS)]
        alone, beside = (self._encode_batch(batch)[0] for batch in texts)
        gap, size = (np.linalg.norm(x.astype(float)) for x in (alone - beside, alone))
        if gap > 1e-3 * size:
            problem = "the embedding of a text depends on the texts beside it"
            raise UserError(f"{self.name}: {problem}; {OTHER}")
        return embeddings

    def describe(self) -> dict[str, str]:
        """Return name, pooling, prompt with longest input, and hashes.

        ``weights`` is the hash of all weights, and ``identity`` of all that decides embeddings.
        """
        return {**self._description}

    @cached_property
    def _description(self) -> dict[str, str]:
        found = pretrained.describe_model(self.name, self.model, self.tokenizer)
        layers = self._texts.layers
        if any(True for _ in layers.parameters()):
            found["weights"] = fingerprint([found["weights"], fingerprint_weights(layers)])
        made = {"pooling": self.pooling, "prompt": self.reading}
        return found | made | {"identity": fingerprint([{**found, "name": ""}, made])}

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
        options = {"padding": True, "truncation": True, "max_length": self.max_length}
        prepared = [*map(self._texts.prepare, batch)]
        kind = f"a {self.model.config.model_type} model that does not encode texts as BERT does"
        with pretrained.encodes(self.name, kind):
            tokens = self.tokenizer(prepared, return_tensors="pt", **options).to(self.device)
            mask = tokens["attention_mask"]
            if (empty := mask.sum(dim=1) == 0).any():
                text = in_one_line(batch[int(empty.long().argmax())])
                raise UserError(f"{self.name}: nothing to read in the text {text}; leave it out")
            states = self.model(**tokens).last_hidden_state
            pooled = self._texts.pool(states, mask, self._prompt_tokens).to(torch.float16)
        if not pooled.isfinite().all():
            raise UserError(f"{self.name}: embeddings are not finite in float16; {OTHER}")
        return pooled.cpu().numpy()


def is_default(name: str) -> bool:
    """Return whether this is the name of the default encoder, in any revision."""
    return name.partition("@")[0] == DEFAULT_TEXT_ENCODER.partition("@")[0]


def last_place(place: str | None, name: str | None) -> str | None:
    """Return where the local encoder of a table lay; ``name`` if it is not a local one."""
    if place == "":  # it was local; its folder was left out when the model was saved
        return name if name and Path(name).is_dir() else None
    return place or name


def find_encoder(kind: str, called: str | None, place: str | None, given: str | None) -> str:
    """Return the name or folder of an encoder of a table.

    Parameters
    ----------
    kind
        ``text_encoder`` or ``clip``, which is the setting that gives another folder.
    called, place
        Its name, and the folder in which a local one lay, from the manifest; empty: left out.
    given
        What the user gives; None for nothing.

    Raises
    ------
    UserError
        If it is neither given nor where it was.
    """
    what = kind.replace("_", " ")
    if given in (None, place) and place is not None and not (place and Path(place).is_dir()):
        where = f"is no longer in {place}" if place else "was in a local folder"
        flag = " (--text-encoder)" if kind == "text_encoder" else ""
        remedy = f"give its folder as {kind}{flag}"
        raise UserError(f"the {what} {called!r} of the features {where}; {remedy}")
    if (found := (place or called) if given is None else given) is None:
        raise UserError(f"manifest.json names no {what}; compute the features again")
    return found


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
    name = find_encoder("text_encoder", made.get("name"), manifest.get(PLACE), name)
    encoder = TextEncoder(name, made.get("pooling", "auto"), device)
    difference = f"{name} differs from the text encoder that made the features"
    remedy = "give that encoder, or compute the features again"
    require_same(difference, encoder.describe(), made, remedy)
    return encoder
