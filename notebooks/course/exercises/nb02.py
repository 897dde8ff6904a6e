"""Exercises of notebook 02: from embeddings of images and words to keywords, and how good they are.

Their functions in order make a keyword tokenizer; only CLIP's embeddings come from elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course.attempts import agree, differentiate
from course.checks import Exercise
from course.exercises.feature_questions import KEYWORDS as QUIZ  # noqa: F401


def cosine_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the cosine of every query with every key, shape (queries, keys).

    queries: shape (queries, dim); keys: shape (keys, dim). Embeddings need not have
    length 1. One of zeros has cosine 0 with everything.
    """
    return F.normalize(queries, dim=-1) @ F.normalize(keys, dim=-1).T


_QUERIES = torch.tensor([[3.0, 4.0, 0.0], [-4.0, 3.0, 1.0]])
_KEYS = torch.tensor([[3.0, 4.0, 0.0], [1.0, 0.0, 2.0], [0.5, -2.0, 0.0], [0.0, 1.0, 1.0]])


def prompts(words: list[str], template: str) -> list[str]:
    """Return one text per word: the template with the word in place of {}.

    template: such as "a photo of a {}". It may hold {} more than once.
    """
    return [template.replace("{}", word) for word in words]


def top_keywords(
    images: Tensor, words: Tensor, dictionary: list[str], n: int
) -> list[list[str]]:  # fmt: skip
    """Return for each image the n words with the largest cosine, best first.

    images: shape (images, dim); words: shape (len(dictionary), dim), row i for
    dictionary[i]. Use your cosine_scores. n may be larger than the dictionary.
    """
    best = cosine_scores(images, words).argsort(dim=1, descending=True, stable=True)
    return [[dictionary[i] for i in row] for row in best[:, :n].tolist()]


def _in_dictionary_order(images, words, dictionary, n):
    found = top_keywords(images, words, dictionary, n)
    return [[word for word in dictionary if word in row] for row in found]


_IMAGES = torch.tensor([[2.0, 1.0], [0.1, 0.6]])
_WORDS = torch.tensor([[1.0, 0.0], [0.0, 9.0], [3.0, 3.0], [-1.0, 0.2]])
_DICTIONARY = ["mug", "sky", "lake", "tent"]


def keyword_sentences(keywords: list[list[str]]) -> list[str]:
    """Return one sentence per image: its keywords in their order, with spaces between.

    keywords: the result of top_keywords.
    """
    return [" ".join(of_image) for of_image in keywords]


def ensemble(embeddings: np.ndarray) -> np.ndarray:
    """Return one normalized embedding per word from its embeddings in several prompts.

    embeddings: shape (prompts, words, dim); they need not have length 1.
    Each embedding gets length 1; then the mean over the prompts; then length 1 again.
    Result: shape (words, dim).
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
    mean = unit.mean(axis=0)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


_PROMPTS = np.array([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [4.0, 0.0]]])


def precision_recall(found: list[str], true: set[str]) -> tuple[float, float]:
    """Return precision and recall of the words found for one image.

    precision: which share of the words found is true;
    recall: which share of the true words was found.
    """
    hits = len(set(found) & true)
    return hits / len(found), hits / len(true)


EXERCISES = (
    Exercise(
        name="02.cosine_scores",
        solution=cosine_scores,
        cases=((_QUERIES, _KEYS),),
        use=differentiate,
        properties=(
            (
                lambda f: agree(f(torch.zeros(1, 3), _KEYS), torch.zeros(1, 4)),
                "an embedding of zeros gives nan: do not divide by a length of 0",
            ),
        ),
        otherwise="these are not the cosines: the same direction should give 1",
        why="Keywords, the losses and the recommendations all compare embeddings by this function.",
        hints=(
            "Give every embedding length 1; then a dot product is a cosine.",
            "F.normalize(x, dim=-1) gives length 1 and leaves zeros alone. A matrix product has all"
            " dot products at once.",
        ),
        mistakes=(
            (
                lambda queries, keys: queries @ keys.T,
                "these are dot products; a cosine does not depend on the lengths",
            ),
            (
                lambda queries, keys: F.normalize(queries, dim=-1) @ keys.T,
                "the lengths of the keys still count in yours",
            ),
            (
                lambda queries, keys: F.normalize(queries, dim=0) @ F.normalize(keys, dim=0).T,
                "you normalize the columns; each row is an embedding",
            ),
            (
                lambda queries, keys: 1 - cosine_scores(queries, keys),
                "these are distances: the same direction should give 1, not 0",
            ),
            (
                lambda queries, keys: cosine_scores(queries, keys).T,
                "the shape should be (2, 4); yours is (4, 2)",
            ),
            (
                lambda q, k: (q / q.norm(dim=1, keepdim=True)) @ F.normalize(k, dim=1).T,
                "an embedding of zeros gives nan: do not divide by a length of 0",
            ),
        ),
    ),
    Exercise(
        name="02.prompts",
        solution=prompts,
        cases=((["mug", "sky"], "a photo of a {}"), (["mug"], "a {} on a white {}")),
        otherwise="the first text should be: a photo of a mug",
        why="CLIP was trained on captions. Section 2.5 measures how much the prompt matters for"
        " two CLIPs.",
        hints=(
            "A list with one text for each word.",
            'A string has the method replace: text.replace("{}", word).',
        ),
        mistakes=(
            (lambda words, template: words, "the template has no effect in yours"),
            (
                lambda words, template: [f"{template} {word}" for word in words],
                "the word takes the place of the braces; it is not put at the end",
            ),
            (
                lambda words, template: [template.replace("{}", word, 1) for word in words],
                "a template may hold the braces more than once: replace them all",
            ),
            (
                lambda words, template: [template.replace("{}", " ".join(words))],
                "one text for each word was expected",
            ),
        ),
    ),
    Exercise(
        name="02.top_keywords",
        solution=top_keywords,
        cases=tuple((_IMAGES, _WORDS, _DICTIONARY, n) for n in (2, 99)),
        otherwise="these are not the words with the largest cosines, best first",
        why="This is the whole of keyword tokenization: cosines, a sort, a cut. All else is the"
        " choice of the words and of the embeddings.",
        hints=(
            "cosine_scores(images, words) has a row for each image and a column for each word.",
            "scores.argsort(dim=1, descending=True) has the columns of each row, best first.",
            "A slice [:, :n] is content with fewer than n; .tolist() gives numbers that can index"
            " the dictionary.",
        ),
        mistakes=(
            (
                lambda i, words, d, n: [row[::-1][:n] for row in top_keywords(i, words, d, 99)],
                "the least similar words come first in yours",
            ),
            (
                lambda i, words, d, n: [
                    [d[k] for k in row[:n]]
                    for row in (i @ words.T).argsort(dim=1, descending=True).tolist()
                ],
                "'sky' has a long embedding, but points elsewhere: lengths must not count",
            ),
            (
                lambda i, words, d, n: [[*map(d.index, r)] for r in top_keywords(i, words, d, n)],
                "words were expected, not their numbers or scores",
            ),
            (_in_dictionary_order, "these are the right words in the wrong order: best first"),
            (lambda i, words, d, n: top_keywords(i, words, d, 99), "return n words, not all"),
            (
                lambda i, words, d, n: top_keywords(i, words, d, n)[0],
                "one list of words for each image was expected; yours is for the first alone",
            ),
        ),
    ),
    Exercise(
        name="02.keyword_sentences",
        solution=keyword_sentences,
        cases=(([["red", "mug"], ["tent"]],),),
        otherwise="the first sentence should be: red mug",
        why="An image is now a text. The encoder that reads descriptions can read it too, so both"
        " modalities have embeddings of one kind.",
        hints=(
            "Each inner list becomes one text.",
            '" ".join(words) puts a space between words.',
        ),
        mistakes=(
            (lambda keywords: ["".join(k) for k in keywords], "there is no space between words"),
            (
                lambda keywords: ", ".join(word for k in keywords for word in k),
                "a list with one sentence for each image was expected",
            ),
            (
                lambda keywords: [", ".join(k) for k in keywords],
                "spaces alone were asked for, without commas",
            ),
            (
                lambda keywords: [" ".join(sorted(k)) for k in keywords],
                "keep the order of the words: the best comes first",
            ),
        ),
    ),
    Exercise(
        name="02.ensemble",
        solution=ensemble,
        cases=((_PROMPTS,),),
        otherwise="these are not the normalized mean directions",
        why="Every prompt has one vote, however long its embeddings are. The library does the"
        " same when you give it several prompts.",
        hints=(
            "np.linalg.norm(x, axis=-1, keepdims=True) keeps an axis of length 1 to divide by.",
            "Three steps: length 1, mean over axis 0, length 1 again.",
        ),
        mistakes=(
            (
                lambda embeddings: _unit(embeddings).mean(axis=0),
                "the mean of such embeddings is shorter than 1: give it length 1 again",
            ),
            (
                lambda embeddings: _unit(embeddings.mean(axis=0)),
                "a prompt with long embeddings outvotes the others: give each length 1 first",
            ),
            (
                lambda embeddings: ensemble(embeddings.transpose(1, 0, 2)),
                "your mean runs over the words; there should be one embedding per word",
            ),
            (lambda embeddings: _unit(embeddings[0]), "only the first prompt counts in yours"),
        ),
    ),
    Exercise(
        name="02.precision_recall",
        solution=precision_recall,
        cases=(
            (["mug", "blue", "tent", "tall"], {"mug", "blue", "striped"}),
            (["red"], {"mug", "red"}),
        ),
        otherwise="two of the four words are true, and two of the three true words were found",
        why="More words find more of what is true and add more that is not. N sets the balance"
        " between the two.",
        hints=(
            "How many words are both found and true? A set knows: set(found) & true.",
            "Divide that number once by what was found, once by what is true.",
        ),
        mistakes=(
            (
                lambda found, true: precision_recall(found, true)[::-1],
                "both numbers are there, in the wrong order: precision divides by what was found",
            ),
            (
                lambda found, true: [len(set(found) & true) / len(found)] * 2,
                "recall divides by the number of true words, not of words found",
            ),
            (
                lambda found, true: (len(set(found) & true), len(true)),
                "two shares were expected, and shares are at most 1",
            ),
        ),
    ),
)
