"""New items are encoded as the stages of a run have encoded the others."""

import numpy as np
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.new_items import encode_new_items
from msm4sr_lite.features.text_encoder import TextEncoder

IMAGES = ("images/h0001_1.png",)


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    return TextEncoder(tiny_bert)


def test_they_are_encoded_as_the_manifest_says(sample_dataset, encoder, tokenizer):
    item = Item("mug", "Red mug", description="Holds tea. Light.", images=IMAGES)
    bare = Item("plain", text="A word.")
    manifest = {
        "text_encoder": encoder.describe(),
        "keywords": {"n_keywords": 2, **tokenizer.describe()},
        "max_sentences": 2,
    }
    table, keywords = encode_new_items([item, bare], sample_dataset, encoder, tokenizer, manifest)
    images = [open_image(sample_dataset, name) for name in IMAGES]
    expected = [[k.word for k in best] for best in tokenizer.keywords(images, 2)]
    assert keywords == {"mug": expected}
    assert table.items == ["", "mug", "plain"]
    assert table.text.counts.tolist() == [0, 2, 1]
    assert table.image.counts.tolist() == [0, 1, 0]
    for slots, sentences in (
        (table.text, ["Red mug", "Holds tea.", "A word."]),
        (table.image, [" ".join(expected[0])]),
    ):
        torch.testing.assert_close(slots.vectors, torch.from_numpy(encoder.encode(sentences)))


def test_a_slot_per_keyword_where_the_table_has_it(sample_dataset, encoder, tokenizer):
    manifest = {"keywords": {"n_keywords": 3}, "image_slots": "keywords"}
    item = Item("mug", images=IMAGES)
    table, keywords = encode_new_items([item], sample_dataset, encoder, tokenizer, manifest)
    assert table.image.counts.tolist() == [0, 3]
    expected = encoder.encode(keywords["mug"][0])
    np.testing.assert_allclose(table.image.vectors, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("manifest", "with_tokenizer", "message"),
    [
        ({"text_encoder": {"weights": "other"}}, True, "text encoder differs .* in weights"),
        ({"keywords": {"prompt": "{}!"}}, True, "keyword tokenizer differs .* in prompt"),
        ({}, False, "item 'mug' has an image; give a keyword tokenizer"),
    ],
)
def test_another_encoder_is_refused(
    manifest, with_tokenizer, message, sample_dataset, encoder, tokenizer
):
    item = Item("mug", images=IMAGES)
    given = tokenizer if with_tokenizer else None
    with pytest.raises(UserError, match=message):
        encode_new_items([item], sample_dataset, encoder, given, manifest)


def test_a_missing_image_is_refused(sample_dataset, encoder, tokenizer):
    item = Item("mug", images=("nothing.png",))
    with pytest.raises(UserError, match=r"nothing\.png: No such file"):
        encode_new_items([item], sample_dataset, encoder, tokenizer, {})
