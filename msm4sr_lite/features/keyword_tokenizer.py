"""Find an image's keywords: the N dictionary words with the most similar CLIP embeddings."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from msm4sr_lite.config import DEFAULT_CLIP, FeatureConfig, UserError
from msm4sr_lite.features import pretrained
from msm4sr_lite.similarity import normalize
from msm4sr_lite.store.fingerprint import fingerprint

_COMMON = ["red", "blue", "mug", "tent", "dog", "water", "two", "music", "street"]
_LARGEST = 4096  # pixels of a side, or patches


class Keyword(NamedTuple):
    """A dictionary word with its score: the cosine of image and word in CLIP's space."""

    word: str
    score: float


class KeywordTokenizer:
    """A CLIP-like model (CLIP, SigLIP or another dual encoder) with a dictionary of keywords.

    Parameters
    ----------
    name
        Local folder or hub id of a CLIP-like dual encoder.
    dictionary
        The candidate words.
    prompt
        Sentence around each word for CLIP's text encoder; ``{}`` stands for the word. Several
        prompts are separated by ``|``. A word's embedding is then the mean of its normalized
        embeddings in all prompts.
    device
        ``cpu`` or ``cuda``.
    threshold
        Drop keywords whose cosine is below this value; the best one is always kept.
    diversity
        Penalty on words that are similar to those already chosen, from 0 (the N best words) to
        below 1.

    Attributes
    ----------
    word_embeddings
        CLIP's normalized embedding of each dictionary word, ``(words, width)``.
    folder
        Where the model was found.

    Raises
    ------
    UserError
        If the dictionary is empty, or the model is not found or not CLIP-like.
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
        FeatureConfig(prompt=prompt, threshold=threshold, diversity=diversity)  # checks the values
        self.name, self.prompt, self.device = name, prompt, device
        self.threshold, self.diversity = threshold, diversity
        self.dictionary = list(dictionary)
        if not self.dictionary:
            raise UserError("the keyword dictionary is empty; give a file with one word per line")
        if not all(map(str.strip, self.dictionary)):
            raise UserError("the keyword dictionary has an empty word; remove it")
        self.folder, folder = pretrained.find_pretrained(name)
        load = pretrained.load_pretrained
        self.model = load("AutoModel", name, folder).eval().to(device)
        family = f"a model of type {self.model.config.model_type!r}, which does not"
        if not all(hasattr(self.model, f"get_{side}_features") for side in ("text", "image")):
            remedy = f"give a CLIP-like one such as {DEFAULT_CLIP}"
            raise UserError(f"{name}: {family} compare images with text; {remedy}")
        self.image_processor = load("AutoImageProcessor", name, folder, backend="pil")
        self.tokenizer = load("AutoTokenizer", name, folder)
        self.tokenizer.split_special_tokens = True  # a word such as </s> is a text, no end
        shades = Image.linear_gradient("L"), Image.radial_gradient("L")
        samples = [shade.convert("RGB") for shade in shades]
        with pretrained.encodes(name, f"{family} encode texts and images as CLIP does"):
            _check_size(name, self.image_processor.to_dict())
            self.options = self._tokenizer_options()
            self.word_embeddings = words = self._word_embeddings()
            images = self._features(self.image_processor(images=samples, return_tensors="pt"))
            pretrained.check_embeddings(name, normalize(images), "images")
        # Words that differ only in case or accents may well be alike.
        rows = {_plain(word): row for row, word in enumerate(self.dictionary)}
        pretrained.check_embeddings(name, words[[*rows.values()]], "keywords of the dictionary")
        if len(rows) < len(_COMMON):  # too few to tell
            pretrained.check_embeddings(name, self.text_embeddings(_COMMON), "English words")

    def describe(self) -> dict[str, Any]:
        """Return everything that decides the keywords.

        These are the model's name; hashes of its weights, and of all that decides its embeddings;
        the prompt, threshold and diversity; and size and hash of the dictionary.
        """
        model = pretrained.describe_model(self.name, self.model, self.tokenizer)
        processor = self.image_processor
        decisive = [type(processor).__name__, processor.to_dict(), self.options]
        words = hashlib.sha256("\n".join(self.dictionary).encode()).hexdigest()[:16]
        found: dict[str, Any] = {"clip": model.pop("name"), **model, "prompt": self.prompt}
        found |= {"identity": fingerprint([model["identity"], *decisive])}
        found |= {"threshold": self.threshold, "diversity": self.diversity}
        return found | {"dictionary_size": len(self.dictionary), "dictionary": words}

    def _tokenizer_options(self) -> dict[str, Any]:
        """Return how to pad texts: to the longest of the batch, or all to the full length.

        SigLIP-like models saw padding in training and use no attention mask. They are recognised
        by a word whose embedding changes when it is padded.
        """
        text_model = getattr(self.model, "text_model", self.model)
        longest = pretrained.longest_input(text_model, self.tokenizer)
        self.options = {"padding": True, "truncation": True, "max_length": longest}
        alone, padded = (self.text_embeddings(t)[0] for t in (["red"], ["red", "red " * longest]))
        if torch.allclose(alone, padded, atol=1e-3, equal_nan=True):
            return self.options
        if "siglip" not in self.model.config.model_type:
            raise ValueError("the embedding of a text depends on the texts beside it")
        return self.options | {"padding": "max_length", "return_attention_mask": False}

    def _word_embeddings(self) -> Tensor:
        """Return a normalized embedding per word, ``(words, width)``: the mean over the prompts."""
        prompts = [prompt.strip() for prompt in self.prompt.split("|")]
        texts = ([prompt.replace("{}", word) for word in self.dictionary] for prompt in prompts)
        return normalize(torch.stack([*map(self.text_embeddings, texts)]).mean(dim=0))

    @torch.inference_mode()
    def text_embeddings(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Return CLIP's normalized embeddings of texts, ``(texts, width)``."""
        embeddings = []
        for start in range(0, len(texts), batch_size):
            batch = list(texts[start : start + batch_size])
            tokens = self.tokenizer(batch, return_tensors="pt", **self.options).to(self.device)
            embeddings.append(self.model.get_text_features(**tokens).pooler_output)
        return normalize(torch.cat(embeddings))

    def image_embeddings(self, images: Sequence[Image.Image]) -> Tensor:
        """Return CLIP's normalized embeddings of images, ``(images, width)``."""
        return self.encode(self.image_processor(images=list(images), return_tensors="pt"))

    def encode(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the normalized embeddings of images that ``self.image_processor`` has prepared."""
        return normalize(self._features(inputs))

    @torch.inference_mode()
    def _features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        return self.model.get_image_features(**inputs).pooler_output

    def keywords(self, images: Sequence[Image.Image], n: int = 15) -> list[list[Keyword]]:
        """Return the ``n`` best keywords of each image (or all, if there are fewer), best first."""
        return self.choose(self.image_embeddings(images), n)

    def choose(self, embeddings: Tensor, n: int) -> list[list[Keyword]]:
        """Return the ``n`` best keywords for each image embedding, ``(images, width)``."""
        images, choice = embeddings.to(self.device), (self.threshold, self.diversity)
        return top_keywords(images, self.word_embeddings, self.dictionary, n, *choice)


def _plain(word: str) -> str:
    """Return a word without case, accents and outer spaces."""
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c)).strip()


def _check_size(name: str, processor: Mapping[str, Any]) -> None:
    """Refuse an image processor whose output would take all memory."""
    settings = [{"": processor.get("max_num_patches")}]
    settings += [processor.get(part) or {} for part in ("size", "crop_size", "pad_size")]
    largest = max(side or 0 for part in settings for side in part.values())
    if largest > _LARGEST:
        problem = f"preprocessor_config.json asks for the size {largest}"
        raise UserError(f"{name}: {problem}; the largest is {_LARGEST}")


def top_keywords(
    images: Tensor,
    words: Tensor,
    dictionary: Sequence[str],
    n: int,
    threshold: float = -1.0,
    diversity: float = 0.0,
) -> list[list[Keyword]]:
    """Rank the dictionary for each image by cosine; equal scores keep dictionary order.

    Parameters
    ----------
    images
        Normalized embeddings of images, ``(images, width)``.
    words
        Normalized embeddings of the dictionary's words, ``(words, width)``.
    dictionary
        The words.
    n
        Number of keywords for one image.
    threshold, diversity
        See `KeywordTokenizer`.

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> [k.word for k in top_keywords(vectors[:1], vectors, ["cup", "sky", "lake"], n=2)[0]]
    ['cup', 'lake']
    """
    keywords = []
    for scores in images @ words.T:
        best = scores.argsort(descending=True, stable=True)
        best = _diverse(scores, words, best[: 4 * n], n, diversity) if diversity else best[:n]
        ranked = [Keyword(dictionary[i], float(scores[i])) for i in best.tolist()]
        if threshold > -1:
            ranked = ranked[:1] + [word for word in ranked[1:] if word.score >= threshold]
        keywords.append(ranked)
    return keywords


def _diverse(scores: Tensor, words: Tensor, pool: Tensor, n: int, diversity: float) -> Tensor:
    """Choose ``n`` words of ``pool`` by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Relevance to the image and similarity among words are both rescaled to 0..1 within the pool. In
    CLIP's space, words are far more similar to each other than to any image.
    """
    relevance, similarity = _rescale(scores[pool]), _rescale(words[pool] @ words[pool].T)
    chosen = [0]
    while len(chosen) < min(n, len(pool)):
        value = (1 - diversity) * relevance - diversity * similarity[:, chosen].amax(dim=1)
        value[chosen] = -torch.inf
        chosen.append(int(value.argmax()))
    return pool[sorted(chosen)]  # the pool is in order of score


def _rescale(values: Tensor) -> Tensor:
    low, high = values.aminmax()
    return (values - low) / (high - low).clamp(min=1e-9)
