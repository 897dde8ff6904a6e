"""The effect of a single keyword."""

import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.explain.keyword_deletion import (
    delete_each_keyword,
    embed_keyword_deletions,
    keyword_influence,
    load_table_encoder,
)
from msm4sr_lite.features.text_encoder import TextEncoder


def model():
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=6, experts=3, heads=2)).eval()


def test_every_keyword_is_deleted_once():
    assert delete_each_keyword(["red", "mug"]) == ["red mug", "mug", "red"]
    assert delete_each_keyword(["mug"]) == ["mug", ""]


def test_influence_is_the_change_of_the_image_embedding():
    net, slots, deletions = model(), torch.randn(3, 11), torch.randn(5, 11)
    got = keyword_influence(net, slots, 1, deletions)
    for k in range(5):
        changed = torch.stack([slots[0], deletions[k], slots[2]])
        vectors = [
            net.adapt["image"](net.pool["image"](s[None], torch.ones(1, 3, dtype=torch.bool))[0])
            for s in (slots, changed)
        ]
        assert torch.isclose(got[k], 1 - F.cosine_similarity(*vectors)[0], atol=1e-6)


def test_a_keyword_that_changes_nothing_has_no_influence():
    slots = torch.randn(2, 11)
    influence = keyword_influence(model(), slots, 0, slots[:1].repeat(4, 1))
    assert influence.abs().max() < 1e-6


def test_half_precision_slots_are_read():
    slots = torch.randn(1, 11).half()
    assert keyword_influence(model(), slots, 0, torch.randn(2, 11).half()).dtype == torch.float32


def test_deletions_are_embedded_by_the_encoder(tiny_bert):
    encoder = TextEncoder(tiny_bert)
    keywords = {"a": [["red", "mug"], ["blue"]], "b": [["red", "mug"]]}
    got = embed_keyword_deletions(encoder, keywords, ["a", "b", "a", "c"])
    assert set(got) == {("a", 1), ("b", 1)}  # an image with one keyword has no sentence left
    assert torch.equal(got["a", 1], torch.from_numpy(encoder.encode(["mug", "red"])))
    assert embed_keyword_deletions(encoder, keywords, ["c"]) == {}


def test_only_the_encoder_of_the_table_is_accepted(tiny_bert):
    from msm4sr_lite.features.pretrained import weight_hash

    weights = weight_hash(TextEncoder(tiny_bert).model)
    made = {"name": tiny_bert, "pooling": "cls", "weights": weights}
    assert load_table_encoder({"text_encoder": made}).pooling == "cls"
    with pytest.raises(UserError, match="with other weights of"):
        load_table_encoder({"text_encoder": {**made, "weights": "0" * 16}})
    with pytest.raises(UserError, match="'no/such' is neither in the hub cache"):
        load_table_encoder({"text_encoder": {"name": "no/such"}})
    with pytest.raises(UserError, match="names no text encoder"):
        load_table_encoder({})
