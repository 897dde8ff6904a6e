"""Make other features for ablations: fewer keywords, raw CLIP embeddings, TF-IDF.

Each class is a function of a study's data that returns a feature table in the same order. The
variants of ``benchmarks.studies.more_models`` use them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from msm4sr_lite.baselines.simple import tfidf_vectors
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.image_names import ImageError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import encode_slots, image_sentences
from msm4sr_lite.features.table_files import read_keywords
from msm4sr_lite.features.text_encoder import load_table_encoder
from msm4sr_lite.study.specs import StudyData


def features_folder(data: StudyData, features: Path | None) -> Path:
    """Return the feature folder: the one given, or that of the dataset."""
    if features or data.dataset.folder:
        return features or Path(data.dataset.folder or "", "features")
    raise UserError("the data have no feature folder; give --features")


@dataclass(frozen=True)
class FewerKeywords:
    """Image features made from only the best ``n_keywords`` keywords of each image.

    Attributes
    ----------
    n_keywords
        Number of keywords.
    features
        Feature folder that holds them; None: the folder ``features`` of the dataset.

    Raises
    ------
    UserError
        If the images have fewer keywords, or the text encoder is not found.
    """

    n_keywords: int
    features: Path | None = None

    def __call__(self, data: StudyData) -> FeatureTable:
        """Return the table."""
        keywords = read_keywords(features_folder(data, self.features))
        most = max((len(image) for item in keywords.values() for image in item), default=0)
        if most < (n := self.n_keywords):
            raise UserError(f"the images of this dataset have {most} keywords, not {n}")
        best = {item: [image[:n] for image in images] for item, images in keywords.items()}
        groups = [image_sentences(best.get(item, []), "images") for item in data.table.items[1:]]
        encoder = load_table_encoder(data.table.manifest, data.device)
        return _replaced(data, f"{n} keywords", image=encode_slots(groups, encoder))


@dataclass(frozen=True)
class RawClip:
    """Image features that are CLIP's image embeddings, not encoded keywords.

    The narrower of CLIP's and BERT's embeddings are padded with zeros. The zeros have no effect,
    since the next operation is a matrix product.
    """

    clip: str

    def __call__(self, data: StudyData) -> FeatureTable:
        """Return the table."""
        tokenizer = KeywordTokenizer(self.clip, ["image"], device=data.device)
        found, counts = [], [0]
        for name in data.table.items[1:]:
            images = []
            for file in data.dataset.items[name].images:
                with suppress(ImageError):
                    images.append(open_image(data.dataset.image_root, file))
            counts.append(len(images))
            if images:
                found.append(tokenizer.image_embeddings(images).float().cpu())
        clip = torch.cat(found) if found else torch.empty(0, data.table.width)
        width = max(clip.shape[1], data.table.width)
        text = data.table.text
        text = replace(text, vectors=F.pad(text.vectors, (0, width - data.table.width)))
        wide = F.pad(clip, (0, width - clip.shape[1])).half().numpy()
        image = make_slots(wide, np.array(counts, dtype=np.int64))
        return _replaced(data, "raw CLIP embeddings", text, image)


@dataclass(frozen=True)
class TfidfTexts:
    """Text features from TF-IDF instead of BERT.

    The text of an item has one slot, whatever its number of sentences. A singular value
    decomposition reduces the TF-IDF vectors to the width of BERT's embeddings. They are then scaled
    to the mean length of these embeddings.
    """

    def __call__(self, data: StudyData) -> FeatureTable:
        """Return the table."""
        from sklearn.decomposition import TruncatedSVD

        sparse, width = tfidf_vectors(data.baseline_data.texts or ())[1:], data.table.width
        n_items, n_words = sparse.shape
        kept = min(width, n_items, n_words)
        dense = np.zeros((n_items, width), dtype=np.float32)
        dense[:, :kept] = TruncatedSVD(kept, random_state=0).fit_transform(sparse)
        described = dense.any(axis=1)
        length = data.table.text.vectors.float().norm(dim=1).mean().item()
        counts = np.concatenate([[0], described]).astype(np.int64)
        text = make_slots((length * dense[described]).astype(np.float16), counts)
        return _replaced(data, "TF-IDF texts", text)


@dataclass(frozen=True)
class TfidfBesideBert:
    """Text features with BERT's sentences and one additional slot, that of ``TfidfTexts``."""

    def __call__(self, data: StudyData) -> FeatureTable:
        """Return the table."""
        items = torch.arange(len(data.table.items))
        bert, bert_filled = data.table.text.gather(items)
        tfidf, tfidf_filled = TfidfTexts()(data).text.gather(items)
        filled = torch.cat([bert_filled, tfidf_filled], dim=1)
        slots = torch.cat([bert, tfidf], dim=1)[filled].half()
        text = make_slots(slots.numpy(), filled.sum(dim=1).numpy())
        return _replaced(data, "TF-IDF beside texts", text)


def _replaced(
    data: StudyData, what: str, text: Slots | None = None, image: Slots | None = None
) -> FeatureTable:
    table = data.table
    manifest = {**table.manifest, "content": f"{table.manifest.get('content', '')}, {what}"}
    return FeatureTable(table.items, text or table.text, image or table.image, manifest)
