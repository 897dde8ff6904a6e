"""Pictures into keywords: for every picture the N dictionary words that CLIP finds most alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from msm4sr_lite.config import DEFAULT_CLIP, FeatureConfig, UserError
from msm4sr_lite.features.pretrained import load_pretrained, longest_input


@dataclass(frozen=True)
class Keyword:
    """One word and how well it fits: the cosine of picture and word in CLIP's space."""

    word: str
    score: float


class KeywordTokenizer:
    """A CLIP-like model (CLIP, SigLIP, any dual encoder of transformers) with a dictionary.

    Parameters
    ----------
    name
        Local folder or hub id of a CLIP-like dual encoder.
    dictionary
        The words to choose from.
    prompt
        Sentence in which the text side sees each word, ``{}`` standing for the word. Several are
        separated by ``|``; a word's vector is then the mean of its unit vectors in each of them.
    device
        Where it runs.
    threshold
        Words with a lower cosine are left out, but for a picture's best.
    diversity
        From 0, the N best words, to below 1: how much a word loses for being like one that is
        already chosen.
    """

    def __init__(
        self,
        name: str = DEFAULT_CLIP,
        dictionary: Sequence[str] = (),
        prompt: str = "a photo of a {}",
        device: str = "cpu",
        threshold: float = -1.0,
        diversity: float = 0.0,
    ) -> None:
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        FeatureConfig(prompt=prompt, threshold=threshold, diversity=diversity)  # refuses nonsense
        self.name, self.prompt, self.device = name, prompt, device
        self.threshold, self.diversity = threshold, diversity
        self.dictionary = list(dictionary)
        if not self.dictionary:
            raise UserError("the keyword dictionary is empty; give a file with one word per line")
        self.model = load_pretrained(AutoModel, name, use_safetensors=True).eval().to(device)
        if not all(hasattr(self.model, f"get_{side}_features") for side in ("text", "image")):
            raise UserError(
                f"{name}: a model of type {self.model.config.model_type!r}, which does not compare"
                f" pictures with text; give a CLIP-like one such as {DEFAULT_CLIP}"
            )
        self.images = load_pretrained(AutoImageProcessor, name, backend="pil")
        self.tokenizer = load_pretrained(AutoTokenizer, name)
        longest = longest_input(getattr(self.model, "text_model", self.model), self.tokenizer)
        self.options: dict[str, Any] = {"padding": True, "truncation": True, "max_length": longest}
        word = self.dictionary[0]
        alone, padded = self.text_vectors([word])[0], self.text_vectors([word, f"{word} " * 9])[0]
        if not torch.allclose(alone, padded, atol=1e-3):
            # Padding is part of what the text side has read in training, as in SigLIP, which has
            # never seen a mask: all texts get the full length.
            self.options |= {"padding": "max_length", "return_attention_mask": False}
        self.words = self._word_vectors()

    def _word_vectors(self) -> Tensor:
        """Return a unit vector per word, ``(words, width)``: the mean over the templates."""
        templates = self.prompt.split("|")
        prompts = [[t.strip().replace("{}", w) for w in self.dictionary] for t in templates]
        return F.normalize(torch.stack([*map(self.text_vectors, prompts)]).mean(dim=0), dim=-1)

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Return CLIP's unit vectors of texts, ``(texts, width)``."""
        vectors = []
        for start in range(0, len(texts), batch_size):
            batch = list(texts[start : start + batch_size])
            tokens = self.tokenizer(batch, return_tensors="pt", **self.options)
            vectors.append(_pooled(self.model.get_text_features(**tokens.to(self.device))))
        return F.normalize(torch.cat(vectors).float(), dim=-1)

    def image_embeddings(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Return CLIP's unit vectors of pictures, ``(pictures, width)``."""
        return self.encode(self.images(images=list(pictures), return_tensors="pt"))

    @torch.inference_mode()
    def encode(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the unit vectors of what ``self.images`` has made of pictures."""
        there = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        return F.normalize(_pooled(self.model.get_image_features(**there)).float(), dim=-1)

    def keywords(self, pictures: Sequence[Image.Image], n: int = 15) -> list[list[Keyword]]:
        """Return the ``n`` best words of each picture, best first; all of a shorter dictionary."""
        return self.choose(self.image_embeddings(pictures), n)

    def choose(self, vectors: Tensor, n: int) -> list[list[Keyword]]:
        """Return the ``n`` best words for each of CLIP's picture vectors ``(pictures, width)``."""
        choice = (self.threshold, self.diversity)
        return top_words(vectors.to(self.device), self.words, self.dictionary, n, *choice)


def _pooled(features: Any) -> Tensor:
    """Return the vectors: transformers 5 wraps them in an output object, older ones do not."""
    return features if isinstance(features, Tensor) else features.pooler_output


def top_words(
    pictures: Tensor,
    words: Tensor,
    dictionary: Sequence[str],
    n: int,
    threshold: float = -1.0,
    diversity: float = 0.0,
) -> list[list[Keyword]]:
    """Rank the dictionary for each picture by cosine; equal scores keep dictionary order.

    >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> [k.word for k in top_words(vectors[:1], vectors, ["cup", "sky", "lake"], n=2)[0]]
    ['cup', 'lake']
    """
    found = []
    for scores in pictures @ words.T:
        best = scores.argsort(descending=True, stable=True)
        best = _diverse(scores, words, best[: 4 * n], n, diversity) if diversity else best[:n]
        ranked = [Keyword(dictionary[i], float(scores[i])) for i in best.tolist()]
        if threshold > -1:
            ranked = ranked[:1] + [word for word in ranked[1:] if word.score >= threshold]
        found.append(ranked)
    return found


def _diverse(scores: Tensor, words: Tensor, pool: Tensor, n: int, diversity: float) -> Tensor:
    """Choose ``n`` words of ``pool`` one by one: fitting, and unlike those chosen before.

    This is maximal marginal relevance (Carbonell and Goldstein, 1998). Fit and likeness are both
    stretched to 0..1 within the pool, since in CLIP's space words are far more like each other
    than any is like a picture.
    """
    fit, like = _stretch(scores[pool]), _stretch(words[pool] @ words[pool].T)
    chosen = [0]
    while len(chosen) < min(n, len(pool)):
        value = (1 - diversity) * fit - diversity * like[:, chosen].amax(dim=1)
        value[chosen] = -torch.inf
        chosen.append(int(value.argmax()))
    return pool[sorted(chosen)]  # the pool is in order of score


def _stretch(values: Tensor) -> Tensor:
    low, high = values.aminmax()
    return (values - low) / (high - low).clamp(min=1e-9)
