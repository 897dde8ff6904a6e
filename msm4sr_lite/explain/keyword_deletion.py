"""The effect of a single keyword, measured by deleting it and embedding the others again.

The N keywords of an image form one pseudo-sentence and share one slot, so the model has no weight
for a single keyword. Deleting one means that the text encoder of the feature table has to embed
the others again; no other part of ``explain`` needs that encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.fingerprint import require_same


def delete_each_keyword(keywords: Sequence[str]) -> list[str]:
    """Return the pseudo-sentence of all keywords, then that sentence without each of them.

    >>> delete_each_keyword(["tall", "clock", "brown"])
    ['tall clock brown', 'clock brown', 'tall brown', 'tall clock']
    """
    kept = [keywords, *([*keywords[:k], *keywords[k + 1 :]] for k in range(len(keywords)))]
    return [" ".join(some) for some in kept]


def load_table_encoder(
    manifest: Mapping[str, Any], device: str = "cpu", name: str | None = None
) -> TextEncoder:
    """Load the text encoder that a feature table was made with, from ``name`` if that is given.

    Raises
    ------
    UserError
        If its weights are not on this machine, or differ from those that made the table.
    """
    made = manifest.get("text_encoder", {})
    name = name or made.get("name")
    if not name:
        raise UserError("manifest.json names no text encoder; compute the features again")
    encoder = TextEncoder(name, made.get("pooling", "auto"), device)
    difference = f"{name} differs from the text encoder that made the features"
    remedy = "compute them again with `msm4sr features`"
    require_same(difference, encoder.describe(), made, remedy)
    return encoder


def embed_keyword_deletions(
    encoder: TextEncoder, keywords: Mapping[str, Sequence[Sequence[str]]], items: Iterable[str]
) -> dict[tuple[str, int], Tensor]:
    """Embed the keywords of the items' images again, without each keyword in turn.

    Parameters
    ----------
    encoder
        The text encoder that made the feature table.
    keywords
        ``item_id ->`` the keywords of each image.
    items
        The items whose images to embed; equal sentences are embedded once.

    Returns
    -------
    keyword_deletions
        ``(item_id, image counted from 1) ->`` embeddings ``(keywords, D)``, float16. An image with
        a single keyword is left out: without it no sentence remains.
    """
    images = {
        (item, index): delete_each_keyword(words)[1:]
        for item in dict.fromkeys(items)
        for index, words in enumerate(keywords.get(item, []), 1)
        if len(words) > 1
    }
    vectors = encoder.encode([sentence for group in images.values() for sentence in group])
    groups = torch.from_numpy(vectors).split([len(group) for group in images.values()])
    return dict(zip(images, groups, strict=True))
