"""The effect of a single keyword."""

import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.explain.keyword_deletion import (
    delete_each_keyword,
    embed_keyword_deletions,
    load_table_encoder,
)
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.fingerprint import fingerprint_weights


def test_every_keyword_is_deleted_once():
    assert delete_each_keyword(["red", "mug"]) == ["red mug", "mug", "red"]
    assert delete_each_keyword(["mug"]) == ["mug", ""]


def test_deletions_are_embedded_by_the_encoder(tiny_bert):
    encoder = TextEncoder(tiny_bert)
    keywords = {"a": [["red", "mug"], ["blue"]], "b": [["red", "mug"]]}
    got = embed_keyword_deletions(encoder, keywords, ["a", "b", "a", "c"])
    assert set(got) == {("a", 1), ("b", 1)}  # an image with one keyword has no sentence left
    assert torch.equal(got["a", 1], torch.from_numpy(encoder.encode(["mug", "red"])))
    assert embed_keyword_deletions(encoder, keywords, ["c"]) == {}


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
