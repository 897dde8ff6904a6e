"""Which words are true of a drawing, and which looks are held out."""

import random

from data_samples.make.drawing import Look
from data_samples.make.keyword_precision import TEST_SEEDS
from data_samples.make.labels import (
    DISTRACTORS,
    LABELS,
    WORDS,
    is_held_out,
    random_look,
    true_words,
)

LOOK = Look("mug", "blue", "red", "striped", "tall")


def test_true_words_name_the_accent_only_where_it_is_seen() -> None:
    assert true_words(LOOK) == ("mug", "blue", "red", "striped", "tall")
    plain = Look("mug", "blue", "red", "plain", "tall")
    assert true_words(plain) == ("mug", "blue", "plain", "tall")


def test_held_out_looks_are_a_tenth_and_never_drawn_for_training() -> None:
    rng = random.Random(0)
    drawn = [random_look(rng, held_out=False) for _ in range(300)]
    assert not any(is_held_out(look) for look in drawn)
    assert all(is_held_out(random_look(rng, held_out=True)) for _ in range(30))
    every = [
        Look(product, colour, "red", pattern, shape)
        for product in LABELS["product"]
        for colour in LABELS["colour"]
        for pattern in LABELS["pattern"]
        for shape in LABELS["shape"]
    ]
    assert 0.08 < sum(map(is_held_out, every)) / len(every) < 0.12
    assert is_held_out(every[0]) == is_held_out(Look(*every[0].__dict__.values()))
    assert TEST_SEEDS >= 1_000_000


def test_distractors_are_no_labels() -> None:
    assert len(set(DISTRACTORS)) == 20
    assert not set(DISTRACTORS) & set(WORDS)
