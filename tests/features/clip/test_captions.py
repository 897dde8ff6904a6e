"""Captions from labels."""

import random

import torch

from msm4sr_lite.features.clip.captions import PROMPT, made_up_word, write_captions
from msm4sr_lite.features.dictionary import word_list


def test_captions_say_words_that_are_true():
    words = ["red", "blue", "round", "square"]
    true = torch.tensor([[True, False, True, False], [False, True, False, False]])
    captions, says = write_captions(words, true, random.Random(0))
    assert torch.equal(says[:4], torch.eye(4, dtype=torch.bool))
    assert says[4:].tolist() == [[True, False, True, False]]  # one word alone is said already
    assert "red" in captions[4]
    assert "round" in captions[4]
    many = [c for _ in range(20) for c in write_captions(words, true, random.Random(_))[0]]
    assert PROMPT.format("red") in many
    assert "red" in many


def test_made_up_words_are_true_of_no_image():
    words = ["red", "round"]
    true = torch.tensor([[True, True], [True, False]])
    captions, says = write_captions(words, true, random.Random(0), n_negatives=50)
    assert len(captions) == len(says) == 2 + 1 + 50
    assert not says[3:].any()
    assert not any(word in captions[3:] for word in words)


def test_a_made_up_word_is_no_word_and_no_label():
    known = {*word_list("visual_words"), "mar"}
    rng = random.Random(0)
    made = [made_up_word(["mar"], rng) for _ in range(500)]
    assert not known & set(made)
    assert len(set(made)) > 400
