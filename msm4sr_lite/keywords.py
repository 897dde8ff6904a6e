"""Pictures into keywords: for every picture the N dictionary words that CLIP finds most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.features import load_pretrained

# OpenAI's CLIP with the smallest ViT, at the hub revision that carries safetensors weights.
DEFAULT_CLIP = "openai/clip-vit-base-patch32@d15b5f29721ca72dac15f8526b284be910de18be"


@dataclass(frozen=True)
class Keyword:
    """One word and how well it fits: the cosine of picture and word in CLIP's space."""

    word: str
    score: float


class KeywordTokenizer:
    """A CLIP-like model with a dictionary.

    Parameters
    ----------
    name
        Local folder or hub id of a CLIP-like dual encoder.
    dictionary
        The words to choose from.
    prompt
        Sentence in which the text side sees each word, ``{}`` standing for the word.
    device
        Where it runs.
    """

    def __init__(
        self,
        name: str = DEFAULT_CLIP,
        dictionary: Sequence[str] = (),
        prompt: str = "a photo of a {}",
        device: str = "cpu",
    ) -> None:
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        self.name, self.prompt, self.device = name, prompt, device
        self.dictionary = list(dictionary)
        if not self.dictionary:
            raise UserError("the keyword dictionary is empty; give a file with one word per line")
        self.images = load_pretrained(AutoImageProcessor, name, backend="pil")
        self.tokenizer = load_pretrained(AutoTokenizer, name)
        self.model = load_pretrained(AutoModel, name, use_safetensors=True).eval().to(device)
        self.words = self._word_vectors()

    @torch.inference_mode()
    def _word_vectors(self, batch_size: int = 256) -> Tensor:
        vectors = []
        for start in range(0, len(self.dictionary), batch_size):
            prompts = [self.prompt.format(w) for w in self.dictionary[start : start + batch_size]]
            tokens = self.tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
            vectors.append(_pooled(self.model.get_text_features(**tokens.to(self.device))))
        return F.normalize(torch.cat(vectors).float(), dim=-1)

    @torch.inference_mode()
    def picture_vectors(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Return CLIP's unit vectors of pictures, ``(pictures, width)``."""
        pixels = self.images(images=list(pictures), return_tensors="pt")["pixel_values"]
        vectors = _pooled(self.model.get_image_features(pixel_values=pixels.to(self.device)))
        return F.normalize(vectors.float(), dim=-1)

    def keywords(self, pictures: Sequence[Image.Image], n: int = 15) -> list[list[Keyword]]:
        """Return the ``n`` best words of each picture, best first."""
        if n > len(self.dictionary):
            raise UserError(
                f"{n} words per picture wanted, but the dictionary has {len(self.dictionary)};"
                f" lower --words or give a longer dictionary"
            )
        return top_words(self.picture_vectors(pictures), self.words, self.dictionary, n)


def _pooled(features: Any) -> Tensor:
    """Return the vectors: transformers 5 wraps them in an output object, older ones do not."""
    return features if isinstance(features, Tensor) else features.pooler_output


def top_words(
    pictures: Tensor, words: Tensor, dictionary: Sequence[str], n: int
) -> list[list[Keyword]]:
    """Rank the dictionary for each picture by cosine; equal scores keep dictionary order.

    >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> [k.word for k in top_words(vectors[:1], vectors, ["cup", "sky", "lake"], n=2)[0]]
    ['cup', 'lake']
    """
    scores = pictures @ words.T
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :n]
    return [
        [Keyword(dictionary[i], float(row[i])) for i in best]
        for row, best in zip(scores.tolist(), order.tolist(), strict=True)
    ]
