"""Captions from labels, and the losses of a small CLIP by hand."""

import random

import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite.features.clip.objective import (
    PROMPT,
    made_up_word,
    rate,
    soft_target_loss,
    step_loss,
    write_captions,
)
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


def test_soft_targets_by_hand() -> None:
    # Two images; the first caption holds for both, the second for one, the third for none.
    logits = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 1.0]])
    holds = torch.tensor([[True, True, False], [True, False, False]])
    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
    by_hand = (
        -(rows[0, 0] + rows[0, 1]) / 2
        - rows[1, 0]
        - (columns[0, 0] + columns[1, 0]) / 2
        - columns[0, 1]
    ) / 4
    torch.testing.assert_close(soft_target_loss(logits, holds), by_hand)


def test_soft_targets_are_clips_own_on_the_diagonal() -> None:
    logits, own = torch.randn(5, 5), torch.arange(5)
    usual = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    torch.testing.assert_close(soft_target_loss(logits, torch.eye(5, dtype=torch.bool)), usual)


def test_learning_rate_rises_and_falls() -> None:
    rates = [rate(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert rates.index(max(rates)) < 10
    assert rates[0] < 0.2
    assert 0 < rates[-1] < 0.01


def test_step_loss_by_hand():
    # Two images, two words of one kind each; every score 0: the loss knows only the choices.
    true = torch.tensor([[True, False, True, False], [False, True, False, False]])
    says = torch.eye(4, dtype=torch.bool)
    loss = step_loss(torch.zeros(2, 4), true, says, [[0, 1], [2, 3]])
    log = torch.tensor([4.0, 2.0]).log()
    captions = (log[0] + log[1]) / 2  # rows among 4 captions, columns among 2 images
    torch.testing.assert_close(loss, captions + log[0] + log[1])


def test_step_loss_prefers_true_words():
    true = torch.tensor([[True, False], [False, True]])
    says = torch.eye(2, dtype=torch.bool)
    right, wrong = 5 * torch.eye(2), 5 * (1 - torch.eye(2))
    assert step_loss(right, true, says, [[0, 1]]) < step_loss(wrong, true, says, [[0, 1]]) - 5


def test_a_caption_without_words_is_a_negative_of_every_image():
    true = torch.tensor([[True, False], [False, True]])
    says = torch.cat([torch.eye(2, dtype=torch.bool), torch.zeros(1, 2, dtype=torch.bool)])
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    near = logits.clone()
    near[:, 2] = 3.0
    without = step_loss(logits[:, :2], true, says[:2], [[0, 1]])
    assert without < step_loss(logits, true, says, [[0, 1]]) < step_loss(near, true, says, [[0, 1]])
