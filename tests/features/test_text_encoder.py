"""Text encoders of several families: pooling, lengths, refusals."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_models import dual_encoder, save_tokenizer, text_model

from msm4sr_lite.config import UserError
from msm4sr_lite.features.text_encoder import TextEncoder, load_table_encoder
from msm4sr_lite.store.fingerprint import fingerprint_weights


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_encoding_does_not_depend_on_the_batch(tiny_bert, pooling):
    encoder = TextEncoder(tiny_bert, pooling)
    texts = ["a cup", "b", "a long long sentence about cups", "a cup"]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    assert one.shape == (4, 20)
    assert one.dtype == np.float16
    np.testing.assert_allclose(one, many, atol=1e-3)
    assert np.array_equal(many[0], many[3])
    tokens = encoder.tokenizer("b", return_tensors="pt")
    states = encoder.model(**tokens).last_hidden_state[0]
    expected = states[0] if pooling == "cls" else states.mean(0)
    np.testing.assert_allclose(one[1], expected.detach().numpy(), atol=2e-3)


@pytest.mark.parametrize(
    ("family", "longest"),
    [("bert", 40), ("roberta", 38), ("mpnet", 38), ("distilbert", 40), ("albert", 40)],
)
def test_encoders_of_any_family_keep_to_their_longest_input(family, longest, tmp_path):
    """Positions are never exceeded, and neither the batch nor its padding shows."""
    encoder = TextEncoder(text_model(family, tmp_path / family))
    assert encoder.max_length == longest
    texts = ["a cup", "b", "mug " * 99, *(f"{'red ' * n}mug {n}" for n in range(1, 12))]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    np.testing.assert_allclose(one.astype(float), many, atol=1e-3)
    assert np.isfinite(one).all()
    assert len({row.tobytes() for row in many}) == len(texts)


def test_the_limit_of_the_tokenizer_holds(tmp_path):
    folder = tmp_path / "bert"
    text_model("bert", folder)
    save_tokenizer(folder, model_max_length=7)
    encoder = TextEncoder(str(folder))
    assert encoder.max_length == 7
    same = encoder.encode(["abcdefgh", "abcdexyz"])  # </s> and <s> take two of the seven
    assert np.array_equal(same[0], same[1])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
        (None, "mean"),
    ],
)
def test_pooling_is_what_the_model_was_trained_with(config, expected, tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    if config is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    encoder = TextEncoder(str(folder))
    assert encoder.pooling == expected
    other = TextEncoder(str(folder), expected)
    assert np.array_equal(encoder.encode(["a cup"]), other.encode(["a cup"]))
    assert TextEncoder(str(folder), "cls").pooling == "cls"


def test_embeddings_that_are_not_finite_are_refused(tiny_bert):
    for value in (float("nan"), 1e6):
        encoder = TextEncoder(tiny_bert)
        with torch.no_grad():
            encoder.model.encoder.layer[-1].output.LayerNorm.bias.fill_(value)
        with pytest.raises(UserError, match="embeddings are not finite in float16"):
            encoder.encode(["a cup", "mug"])


def test_another_pooling_than_that_of_the_folder_is_refused(tiny_bert):
    with pytest.raises(UserError, match="the pooling is mean, not mean \\+ Normalize; give auto"):
        TextEncoder(tiny_bert, "mean + Normalize")


def test_a_model_that_is_no_text_encoder_is_refused(tmp_path):
    with pytest.raises(UserError, match="a model of type 't5', not a BERT-like text encoder"):
        TextEncoder(text_model("t5", tmp_path / "t5"))
    with pytest.raises(UserError, match="a model of type 'clip', not a BERT-like text encoder"):
        TextEncoder(dual_encoder("clip", tmp_path / "clip"))


def test_only_the_encoder_of_the_table_is_accepted(tiny_bert):
    weights = fingerprint_weights(TextEncoder(tiny_bert).model)
    made = {"name": tiny_bert, "pooling": "cls", "weights": weights}
    assert load_table_encoder({"text_encoder": made}).pooling == "cls"
    with pytest.raises(UserError, match=r"differs from .* that made the features in weights"):
        load_table_encoder({"text_encoder": {**made, "weights": "0" * 16}})
    with pytest.raises(UserError, match="'no/such' is neither in the hub cache"):
        load_table_encoder({"text_encoder": {"name": "no/such"}})
    with pytest.raises(UserError, match="names no text encoder"):
        load_table_encoder({})
