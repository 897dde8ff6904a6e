"""The influence of a single keyword, measured by leaving it out.

The N keywords of a picture form one pseudo-sentence and therefore one slot: no weight inside the
model belongs to a single word. So the word is left out, the rest is read by BERT again, and the
item's image vector is compared before and after.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.encoder import M2SE


def without_each(words: Sequence[str]) -> list[str]:
    """Return the pseudo-sentence of all words, then that sentence without each word in turn.

    >>> without_each(["tall", "clock", "brown"])
    ['tall clock brown', 'clock brown', 'tall brown', 'tall clock']
    """
    parts = [words, *([*words[:k], *words[k + 1 :]] for k in range(len(words)))]
    return [" ".join(part) for part in parts]


@torch.no_grad()
def keyword_influence(model: M2SE, slots: Tensor, picture: int, without: Tensor) -> Tensor:
    """Return how far z_v moves when one word of a picture is left out: 1 - cosine.

    Parameters
    ----------
    model
        Pre-trained or fine-tuned, with an image view.
    slots
        The item's image slots, one per picture, ``(pictures, D)``.
    picture
        Which of them the words belong to.
    without
        BERT's vectors of its pseudo-sentence without each word, ``(words, D)``.

    Returns
    -------
    influence
        One number per word, ``(words,)``: 0 if nothing changes, at most 2.
    """
    count = len(without)
    changed = slots.float().repeat(count + 1, 1, 1)  # the last entry stays as it is
    changed[torch.arange(count), picture] = without.float()
    valid = torch.ones(changed.shape[:2], dtype=torch.bool)
    z = model.adapt["image"](model.pool["image"](changed, valid)[0])
    return 1 - F.cosine_similarity(z[:count], z[count:], dim=1)
