"""Captions from labels."""

import random

import torch

from msm4sr_lite.features.clip.captions import PROMPT, write_captions


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
