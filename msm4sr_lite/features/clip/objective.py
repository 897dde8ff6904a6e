"""Write the captions for a batch of images, and compute the loss over them.

Captions are single label words, several words of one image, or made-up words. The loss is InfoNCE
with several positives: every caption that is true of an image is a positive.
"""

import math
import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from msm4sr_lite.features.dictionary import word_list

PROMPT = "a photo of a {}"  # KeywordTokenizer's prompt, and therefore the most frequent one here
TEMPLATES = (PROMPT, PROMPT, "{}", "a {}", "a picture of a {}", "this is a {}", "{}, a photo")


def write_captions(
    words: Sequence[str],
    true: Bool[Tensor, "images words"],
    rng: random.Random,
    n_negatives: int = 0,
) -> tuple[list[str], Bool[Tensor, "captions words"]]:
    """Write the captions of one step.

    Parameters
    ----------
    words
        All label words.
    true
        Which words are true of each image of the step.
    rng
        Chooses words and templates.
    n_negatives
        Number of captions with a made-up word, which are true of no image.

    Returns
    -------
    captions, says
        The captions, and which words each of them contains. First comes each word alone, in the
        order of ``words``. Then follows one caption for each image with at least two true words; it
        holds two to four of them in random order. The negatives, which contain no word, come last.
    """
    said = [[k] for k in range(len(words))]
    for row in true:
        known = row.nonzero().flatten().tolist()
        if len(known) > 1:
            said.append(rng.sample(known, rng.randint(2, min(4, len(known)))))
    spoken = [" ".join(words[k] for k in some) for some in said]
    spoken += [made_up_word(words, rng) for _ in range(n_negatives)]
    captions = [rng.choice(TEMPLATES).format(text) for text in spoken]
    says = torch.zeros(len(captions), len(words), dtype=torch.bool)
    for row, some in zip(says, said, strict=False):
        row[some] = True
    return captions, says


def made_up_word(words: Sequence[str], rng: random.Random) -> str:
    """Join the start of an ordinary word and the end of another to a word that is no label.

    A real word could be true of some image. Made-up words consist of the same tokens. They teach
    the text encoder that an unknown word is true of no image.

    >>> made_up_word(["red"], random.Random(0))
    'traefs'
    """
    ordinary = word_list("visual_words")
    while True:
        start, end = rng.choice(ordinary), rng.choice(ordinary)
        word = start[: max(2, len(start) // 2)] + end[len(end) // 2 :]
        if word not in ordinary and word not in words:
            return word


def step_loss(
    logits: Float[Tensor, "images captions"],
    true: Bool[Tensor, "images words"],
    says: Bool[Tensor, "captions words"],
    columns: Sequence[Sequence[int]],
) -> Float[Tensor, ""]:
    """Add three losses: over all captions, over all single words, and within each label column.

    Keywords are chosen among single words. The loss over all words teaches the model how frequent
    they are, which matters in a dictionary of frequent and rare labels. With the loss within each
    column (product, colour, pattern...), labels of a difficult column are learned as early as those
    of an easy one.

    Parameters
    ----------
    logits
        Cosines of images and captions, divided by the temperature. The first captions are the
        single words.
    true
        Which words are true of each image.
    says
        Which words each caption contains.
    columns
        The word indices of each label column.
    """
    n_words = true.shape[1]
    # A caption is true of an image if all its words are; a negative has no words.
    holds = (true.float() @ says.float().T == says.sum(1)) & says.any(1)
    alone, losses = logits[:, :n_words], [soft_target_loss(logits, holds)]
    for column in (range(n_words), *columns):
        positives = true[:, list(column)]
        labelled = positives.any(1)  # without a label in this column there is no target
        if labelled.any():
            target = F.normalize(positives[labelled].float(), p=1)
            losses.append(F.cross_entropy(alone[labelled][:, list(column)], target))
    return losses[0] + losses[1] + torch.stack(losses[2:]).mean()


def soft_target_loss(
    logits: Float[Tensor, "images captions"], holds: Bool[Tensor, "images captions"]
) -> Float[Tensor, ""]:
    """Return the symmetric cross-entropy with all true captions as equally likely targets.

    "a blue mug" is true of every blue mug in the batch. CLIP's usual targets, the diagonal, would
    make the other blue mugs false negatives.

    Parameters
    ----------
    logits
        Cosines divided by the temperature.
    holds
        Which captions are true of each image. A caption that is true of no image is only a negative
        of the images and has no row of its own.
    """
    used = holds.any(0)
    rows = F.cross_entropy(logits, F.normalize(holds.float(), p=1))
    columns = F.cross_entropy(logits[:, used].T, F.normalize(holds[:, used].T.float(), p=1))
    return (rows + columns) / 2


def rate(step: int, steps: int) -> float:
    """Return the learning rate relative to the highest: linear warm-up, then cosine decay."""
    done = (step + 1) / steps
    return min(done / 0.06, 0.5 + 0.5 * math.cos(math.pi * max(0.0, done - 0.06) / 0.94) + 1e-3)
