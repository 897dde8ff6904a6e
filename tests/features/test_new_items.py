"""Features of new items, computed as the stages of a run compute those of the others."""

import numpy as np
import pytest
import torch
from toys import toy_table

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.folder import read_folder
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.new_items import describe
from msm4sr_lite.features.provenance import describe_text_encoder, describe_tokenizer
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer


@pytest.fixture
def encoder(tiny_bert):
    return TextEncoder(tiny_bert)


@pytest.fixture
def images(sample_dataset):
    return read_folder(sample_dataset, domain="home").items["h0001"].images


def test_as_the_stages_compute_them(encoder, tokenizer, images, sample_dataset):
    item = Item("new", "Red mug", description="Holds tea. Light.", images=images)
    bare = Item("plain", text="A word.")
    manifest = {
        "text_encoder": describe_text_encoder(encoder),
        "keywords": {"words": 2, **describe_tokenizer(tokenizer)},
        "max_sentences": 2,
    }
    table, keywords = describe([item, bare], sample_dataset, encoder, tokenizer, manifest)
    words = keywords["new"]
    opened = [open_image(sample_dataset, name) for name in images]
    assert words == [[k.word for k in best] for best in tokenizer.keywords(opened, 2)]
    text = encoder.encode(["Red mug", "Holds tea."])
    image = encoder.encode([" ".join(group) for group in words])
    rows = (text, image), (encoder.encode(["A word."]), np.empty((0, encoder.width)))
    slots = [
        make_slots(np.concatenate(part), np.array([0, *map(len, part)]))
        for part in zip(*rows, strict=True)
    ]
    expected = FeatureTable(["", "new", "plain"], *slots, {})

    rng = np.random.default_rng(0)
    known = toy_table(rng.integers(1, 3, 20), [1] * 20, encoder.width)
    net = M2SE(ModelConfig(feature_dim=encoder.width))
    recommender = Recommender(ModelScorer(net, known), known.items)
    recommender.add_items(table)
    assert recommender.item_ids[-2:] == ["new", "plain"]
    with torch.inference_mode():
        z = net.item_embeddings(expected, torch.arange(1, 3))
    for modality, embeddings in z.items():
        torch.testing.assert_close(recommender.scorer.items[modality][-2:], embeddings)


@pytest.mark.parametrize(
    ("manifest", "given", "message"),
    [
        ({"text_encoder": {"weights": "other"}}, True, r"text encoder differs .* in weights"),
        ({"keywords": {"prompt": "{}!"}}, True, r"keyword tokenizer differs .* in prompt"),
        ({}, False, "item 'new' has a picture; give a keyword tokenizer"),
    ],
)
def test_another_encoder_is_refused(
    encoder, tokenizer, images, sample_dataset, manifest, given, message
):
    item = Item("new", images=images)
    with pytest.raises(UserError, match=message):
        describe([item], sample_dataset, encoder, tokenizer if given else None, manifest)


def test_an_image_that_is_not_there(encoder, tokenizer, sample_dataset):
    item = Item("new", images=("nothing.png",))
    with pytest.raises(UserError, match=r"nothing\.png"):
        describe([item], sample_dataset, encoder, tokenizer, {})
