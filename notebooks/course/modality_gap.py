"""The modality gap: how far apart texts and images lie, with CLIP and with keywords.

A dual encoder puts an image nearer to its text than to other texts, and yet keeps all images in one
region and all texts in another (Liang et al., 2022, arXiv 2203.02053). Keywords of images are read
by the encoder that reads the texts. This module measures whether that closes the gap::

    cd notebooks; python -m course.modality_gap DATA --clip DIR [--features DIR] [--items 1000]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.image_names import ImageError
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.features.table_files import load_feature_table


@dataclass(frozen=True)
class ModalityGap:
    """How two sets of unit vectors lie to each other.

    Attributes
    ----------
    items
        Pairs of a text and an image of the same item.
    distance
        Between the centroids, from 0 to 2: the gap in the narrow sense.
    probe
        Share of vectors that a linear probe, fitted on the other half of the items, puts into the
        right set. 0.5 is guessing.
    neighbours
        Share of vectors whose nearest neighbour belongs to the same set. 0.5 is well mixed; less
        means that a vector's nearest neighbour is mostly the other modality of the same item.
    matched, unmatched
        Mean cosine of a text and an image of the same item, and of different items.
    """

    items: int
    distance: float
    probe: float
    neighbours: float
    matched: float
    unmatched: float


def measure_gap(text: np.ndarray, image: np.ndarray, seed: int = 0) -> ModalityGap:
    """Measure the gap between two sets of embeddings.

    Parameters
    ----------
    text, image
        Embeddings of the same items in the same order, ``(items, width)`` each. Memory grows with
        the square of the items: a few thousand are enough.
    seed
        Of the halves of the probe.
    """
    if text.shape != image.shape or text.ndim != 2 or len(text) < 4:
        raise UserError(
            f"the modality gap needs one text and one image embedding of at least 4 items, of equal"
            f" width; got shapes {text.shape} and {image.shape}"
        )
    text, image = _unit(text), _unit(image)
    n = len(text)
    cosines = text @ image.T
    matched = float(np.trace(cosines)) / n
    everything = np.concatenate([text, image])
    near = everything @ everything.T
    np.fill_diagonal(near, -np.inf)
    same = (near.argmax(axis=1) < n) == (np.arange(2 * n) < n)
    return ModalityGap(
        items=n,
        distance=float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0))),
        probe=_probe(text, image, seed),
        neighbours=float(same.mean()),
        matched=matched,
        unmatched=float(cosines.sum() - n * matched) / (n * (n - 1)),
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)


def _probe(text: np.ndarray, image: np.ndarray, seed: int) -> float:
    """Ridge regression on +1 and -1, fitted on one half of the items and tested on the other."""
    order = np.random.default_rng(seed).permutation(len(text))
    halves = order[::2], order[1::2]
    right = []
    for fit, test in (halves, halves[::-1]):
        known = np.concatenate([text[fit], image[fit]])
        middle = known.mean(axis=0)
        x, y = known - middle, np.repeat([1.0, -1.0], len(fit))
        weights = np.linalg.solve(x.T @ x + 1e-3 * len(x) * np.eye(x.shape[1]), x.T @ y)
        right += [(text[test] - middle) @ weights > 0, (image[test] - middle) @ weights < 0]
    return float(np.concatenate(right).mean())


def clip_embeddings(
    items: Sequence[Item], folder: Path, clip: KeywordTokenizer, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Return CLIP's embeddings of texts and images, ``(items, width)``, of items that have both.

    An item's text embedding is the mean over its sentences, its image is its first. Items whose
    image cannot be read are left out.
    """
    texts, images = [], []
    for start in range(0, len(items), batch_size):
        opened = []
        for item in items[start : start + batch_size]:
            sentences = item_sentences(item)
            try:
                if sentences and item.images:
                    opened.append((sentences, open_image(folder, item.images[0])))
            except ImageError:
                continue
        if opened:
            images.append(clip.image_embeddings([image for _, image in opened]))
            embeddings = clip.text_embeddings([s for sentences, _ in opened for s in sentences])
            groups = embeddings.split([len(sentences) for sentences, _ in opened])
            texts.append(torch.stack([group.mean(dim=0) for group in groups]))
    if not images:
        raise UserError(f"{folder}: no item has both a text and an image that can be read")
    return torch.cat(texts).cpu().numpy(), torch.cat(images).cpu().numpy()


def keyword_embeddings(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """Return BERT's embeddings of texts and keywords, ``(items, width)``, of items with both."""
    both = torch.nonzero((table.text.counts > 0) & (table.image.counts > 0)).flatten()
    return _means(table.text, both), _means(table.image, both)


def _means(slots: Slots, items: torch.Tensor) -> np.ndarray:
    values, valid = slots.gather(items)
    return (values.sum(dim=1) / valid.sum(dim=1, keepdim=True)).numpy()


def compare_gaps(
    dataset: Path, clip: str, features: Path, items: int = 1000, seed: int = 0
) -> dict[str, ModalityGap]:
    """Return the gap of raw CLIP embeddings and that of keywords, for the same random items.

    Parameters
    ----------
    dataset, features
        A dataset folder, and a feature table made from it.
    clip
        CLIP-like model, local folder or hub id.
    items
        How many of those with text and image, at most.
    """
    table = load_feature_table(features)
    known = Dataset.from_folder(dataset, unknown_items="drop").items
    described = (table.text.counts > 0) & (table.image.counts > 0)
    pool = [table.items[i] for i in described.nonzero().flatten() if table.items[i] in known]
    order = np.random.default_rng(seed).permutation(len(pool))[:items]
    chosen = [pool[i] for i in sorted(order)]
    tokenizer = KeywordTokenizer(clip, ["image"])
    raw = clip_embeddings([known[item] for item in chosen], dataset, tokenizer)
    words = keyword_embeddings(table.for_items(["", *chosen]))
    return {"clip": measure_gap(*raw, seed), "keywords": measure_gap(*words, seed)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measures as one JSON object; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m course.modality_gap")
    parser.add_argument("dataset", type=Path, metavar="DATA", help="dataset folder")
    parser.add_argument("--clip", required=True, help="CLIP-like model, folder or hub id")
    parser.add_argument("--features", type=Path, help="feature table (default: DATA/features)")
    parser.add_argument("--items", type=int, default=1000, help="at most (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    args = parser.parse_args(arguments)
    try:
        features = args.features or args.dataset / "features"
        found = compare_gaps(args.dataset, args.clip, features, args.items, args.seed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({name: asdict(gap) for name, gap in found.items()}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
