"""Average precision by hand; the start and the learning rates of the text encoder."""

import pytest
import torch

from msm4sr_lite.features.clip.model import build_model, make_tokenizer
from msm4sr_lite.features.clip.objective import TEMPLATES
from msm4sr_lite.features.clip.training import (
    ClipTrainingConfig,
    average_precision,
    center_words,
    parameter_groups,
)


def test_average_precision_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [3.0, 2.0, 1.0]])
    true = torch.tensor([[True, True, False], [False, False, True]])
    assert average_precision(scores, true) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)


WORDS = ["red", "blue", "round", "square", "dotted"]


def embeddings(model, tokenizer, template):
    captions = [template.format(word) for word in WORDS]
    tokens = tokenizer(captions, padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = model.text_projection(model.text_model(**tokens).pooler_output)
    return torch.nn.functional.normalize(found)


def test_centering_makes_words_differ_and_templates_agree():
    torch.manual_seed(0)
    tokenizer = make_tokenizer(WORDS)
    model = build_model(tokenizer, 0.25).eval()
    other = ~torch.eye(len(WORDS), dtype=torch.bool)

    def cosines():
        one, two = (embeddings(model, tokenizer, t) for t in (TEMPLATES[0], "a {}"))
        return float((one @ one.T)[other].mean()), float((one * two).sum(1).mean())

    words_before, templates_before = cosines()
    center_words(model, tokenizer, WORDS)
    words, templates = cosines()
    assert words_before > 0.9
    assert abs(words) < 0.5
    assert templates > words + 0.3
    assert templates_before - words_before < templates - words


def test_the_text_encoder_has_its_own_learning_rate_and_vectors_do_not_decay():
    model = build_model(make_tokenizer(WORDS), 0.25)
    config = ClipTrainingConfig(lr=0.5, text_lr=0.25, weight_decay=0.125)
    found = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, config)
        for weight in group["params"]
    }
    assert len(found) == len(list(model.parameters()))
    for name, weight in model.named_parameters():
        decay = 0.125 if weight.ndim > 1 else 0.0
        assert found[id(weight)] == (0.25 if name.startswith("text_") else 0.5, decay), name
