"""M²SE with one part taken out, or one number changed, at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD

from msm4sr_lite.baselines import tfidf_vectors
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.images import ImageError, open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import image_sentences
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.study.data import Data
from msm4sr_lite.study.models import Model, ModelSpec, Settings

MAIN = Model(pretrains=True)


@dataclass(frozen=True)
class WithTable:
    """A model that is given other features: ``table(data)`` makes them, once for all seeds."""

    model: Model
    table: Callable[[Data], FeatureTable]
    made: dict[str, FeatureTable] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, data: Data, settings: Settings, seed: int, states: Path) -> Scorer:
        """Make the features, train, return the scorer."""
        facts = " ".join(data.facts)
        if facts not in self.made:
            self.made[facts] = self.table(data)
        return self.model(replace(data, table=self.made[facts]), settings, seed, states)


def without(**settings: Any) -> ModelSpec:
    """Return the main model with settings changed; ``__`` stands for a full stop."""
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    return ModelSpec([{}], Model(settings=changes, pretrains=True), learns=True)


def is_main(spec: ModelSpec, data: Data, settings: Settings) -> bool:
    """Return whether a variant, with these settings, is the main model under another name.

    Such is *no ids* where the settings chosen have none.
    """
    make = spec.make
    if not isinstance(make, Model) or replace(make, settings={}) != MAIN:
        return False
    return make.config(data, settings) == MAIN.config(data, settings)


@dataclass(frozen=True)
class FewerWords:
    """Features whose pictures have only their best words.

    Raises
    ------
    UserError
        If the pictures have fewer words, or no text encoder is found.
    """

    words: int

    def __call__(self, data: Data) -> FeatureTable:
        """Return the table."""
        made, keywords = data.table.manifest["text_encoder"], data.keywords
        most = max((len(words) for item in keywords.values() for words in item), default=0)
        if most < self.words:
            raise UserError(f"the pictures of this shop have {most} words, not {self.words}")
        groups = [
            image_sentences([words[: self.words] for words in keywords.get(item, [])], "images")
            for item in data.table.items[1:]
        ]
        encoder = TextEncoder(made["name"], made["pooling"], data.device)
        vectors = encoder.encode([sentence for group in groups for sentence in group])
        counts = np.array([0, *map(len, groups)], dtype=np.int64)
        return _other(data, f"{self.words} words", data.table.text, make_slots(vectors, counts))


@dataclass(frozen=True)
class RawClip:
    """Features whose pictures are CLIP's own vectors, not the keywords that CLIP finds.

    Where CLIP's vectors are narrower than BERT's, zeros fill them up, and the other way round: what
    comes next is a matrix product, to which these mean nothing.
    """

    clip: str

    def __call__(self, data: Data) -> FeatureTable:
        """Return the table."""
        tokenizer = KeywordTokenizer(self.clip, ["picture"], device=data.device)
        groups: list[np.ndarray] = []
        for name in data.table.items[1:]:
            item, pictures = data.dataset.items[name], []
            for image in item.images:
                try:
                    pictures.append(open_image(data.dataset.path, image))
                except ImageError:
                    continue
            if pictures:
                groups.append(tokenizer.image_embeddings(pictures).float().cpu().numpy())
            else:
                groups.append(np.empty((0, 0)))
        clip = max((group.shape[1] for group in groups), default=0)
        width = max(clip, data.table.width)
        counts = np.array([0, *map(len, groups)], dtype=np.int64)
        vectors = np.zeros((counts.sum(), width), dtype=np.float16)
        vectors[:, :clip] = np.concatenate([group for group in groups if len(group)] or [vectors])
        text = data.table.text
        wide = torch.nn.functional.pad(text.vectors, (0, width - data.table.width))
        text = Slots(wide, text.starts, text.counts)
        return _other(data, "raw CLIP vectors", text, make_slots(vectors, counts))


@dataclass(frozen=True)
class TfidfTexts:
    """Features whose texts are TF-IDF vectors, not BERT's.

    An item's text is one slot, however many sentences it has: the TF-IDF vector of all its words,
    made as narrow as BERT's by a singular value decomposition and as long as these are on average.
    """

    def __call__(self, data: Data) -> FeatureTable:
        """Return the table."""
        vectors, width = tfidf_vectors(data.texts())[1:], data.table.width
        items, words = vectors.shape
        kept = min(width, items, words)
        narrow = np.zeros((items, width), dtype=np.float32)
        narrow[:, :kept] = TruncatedSVD(kept, random_state=0).fit_transform(vectors)
        described = narrow.any(axis=1)
        length = data.table.text.vectors.float().norm(dim=1).mean().item()
        counts = np.concatenate([[0], described]).astype(np.int64)
        text = make_slots((length * narrow[described]).astype(np.float16), counts)
        return _other(data, "TF-IDF texts", text, data.table.image)


@dataclass(frozen=True)
class TfidfBeside:
    """Features whose texts have a slot more than BERT's sentences: the vector of ``TfidfTexts``."""

    def __call__(self, data: Data) -> FeatureTable:
        """Return the table."""
        items = torch.arange(len(data.table.items))
        texts, real = data.table.text.gather(items)
        words, known = TfidfTexts()(data).text.gather(items)
        filled = torch.cat([real, known], dim=1)
        vectors = torch.cat([texts, words], dim=1)[filled].half()
        text = make_slots(vectors.numpy(), filled.sum(dim=1).numpy())
        return _other(data, "TF-IDF beside texts", text, data.table.image)


def _other(data: Data, what: str, text: Slots, image: Slots) -> FeatureTable:
    manifest = data.table.manifest
    manifest = {**manifest, "content": f"{manifest.get('content', '')}, {what}"}
    return FeatureTable(data.table.items, text, image, manifest)


def ablations(clip: str = "", *, claims_only: bool = False) -> dict[str, ModelSpec]:
    """Return all variants by name; that with raw CLIP vectors only if a CLIP model is given.

    With ``claims_only`` no others than these and those without what the paper says it adds.
    """
    found = {
        "msm4sr": ModelSpec([{}], MAIN, learns=True),
        "no pre-training": ModelSpec([{}], Model(), learns=True),
        "no fine-tuning": ModelSpec([{}], Model(pretrains=True, finetunes=False), learns=True),
        "no mixup": without(pretrain__mixup_max=0.0),
        "no CMCL": without(pretrain__cmcl_weight=0.0),
    }
    if clip:
        found["raw CLIP vectors"] = ModelSpec([{}], WithTable(MAIN, RawClip(clip)), learns=True)
    if claims_only:
        return found
    found |= {
        "no NIP": without(pretrain__nip_weight=0.0, pretrain__cmcl_weight=1.0),
        "no images": without(model__modalities="text"),
        "no text": without(model__modalities="image"),
        "no item dropping": without(pretrain__drop_max=0.0),
        "no ids": without(finetune__use_ids=False),
        "with ids": without(finetune__use_ids=True),
        "mean pooling": without(model__item_pooling="mean"),
        "frozen pooling": without(model__train_pooling=False),
        "unmasked pooling": without(model__mask_padding=False),
        "candidates: bought": without(finetune__candidates="seen"),
        "one row a target": without(
            pretrain__prefix_augmentation=True, finetune__prefix_augmentation=True
        ),
        "TF-IDF for BERT": ModelSpec([{}], WithTable(MAIN, TfidfTexts()), learns=True),
        "TF-IDF beside BERT": ModelSpec([{}], WithTable(MAIN, TfidfBeside()), learns=True),
    }
    for knob, part, values in (
        ("p_max", "pretrain.mixup_max", (0.25, 1.0)),
        ("lambda", "pretrain.cmcl_weight", (0.1, 1.0)),
        ("experts", "model.experts", (1, 4, 16)),
        ("anchors of a sequence", "pretrain.anchors_per_sequence", (1, 3)),
    ):
        for value in values:
            model = Model(settings={part: value}, pretrains=True)
            found[f"{knob} = {value:g}"] = ModelSpec([{}], model, learns=True)
    for tau in (0.03, 0.2):
        found[f"tau = {tau:g}"] = without(pretrain__temperature=tau, finetune__temperature=tau)
    for words in (1, 2, 3):
        found[f"N = {words}"] = ModelSpec([{}], WithTable(MAIN, FewerWords(words)), learns=True)
    return found
