"""Read a picture's keywords again without each word, with the encoder of the feature table.

The N keywords of a picture share one slot, so what one of them does can only be seen by reading
the others without it. That needs the BERT that made the table; nothing else in ``explain`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.explain.keywords import without_each
from msm4sr_lite.features.text_encoder import TextEncoder


def table_encoder(manifest: Mapping[str, Any], device: str = "cpu") -> TextEncoder:
    """Open the text encoder that a feature table was made with.

    Raises
    ------
    UserError
        If its weights are not on this machine, or are others than those that made the table.
    """
    from msm4sr_lite.features.provenance import weight_hash

    made = manifest.get("text_encoder", {})
    if not made.get("name"):
        raise UserError("manifest.json names no text encoder: keywords cannot be read again")
    encoder = TextEncoder(made["name"], made.get("pooling", "auto"), device)
    if made.get("weights") not in (None, weight_hash(encoder.model)):
        raise UserError(
            f"the features were made with other weights of {made['name']} than those found here;"
            f" make them again with `msm4sr features`"
        )
    return encoder


def read_without_words(
    encoder: TextEncoder, keywords: Mapping[str, Sequence[Sequence[str]]], items: Iterable[str]
) -> dict[tuple[str, int], Tensor]:
    """Read the keywords of the items' pictures again, without each word in turn.

    Parameters
    ----------
    encoder
        The one that made the feature table.
    keywords
        ``item_id ->`` the words of each picture.
    items
        Whose pictures; equal sentences are read once.

    Returns
    -------
    without
        ``(item_id, picture counted from 1) ->`` vectors ``(words, D)``, float16. A picture with a
        single word is left out: without it there would be no picture.
    """
    pictures = {
        (item, place): without_each(words)[1:]
        for item in dict.fromkeys(items)
        for place, words in enumerate(keywords.get(item, []), 1)
        if len(words) > 1
    }
    vectors = encoder.encode([sentence for group in pictures.values() for sentence in group])
    parts = torch.from_numpy(vectors).split([len(group) for group in pictures.values()])
    return dict(zip(pictures, parts, strict=True))
