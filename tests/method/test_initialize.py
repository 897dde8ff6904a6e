"""An untrained model fits the data: sizes, modalities, whitening, start of the adaptors."""

import pytest
import torch

from msm4sr_lite.baselines import SASRec, SummedFeatures
from msm4sr_lite.config import Config, with_settings
from msm4sr_lite.initialize import fit_to_features, new_model, transfer
from tests.toys import toy_sequences, toy_table

WIDTH = 11
TABLE = toy_table([2, 1, 3, 0] * 10, [1, 0, 1, 2] * 10, width=WIDTH)
SEQUENCES = toy_sequences([9, 8, 12, 7] * 2, n_items=40)  # some items occur in none


def configured(**settings):
    small = {"model.dim": 6, "model.ffn_dim": 5, "model.max_len": 9, "model.experts": 2}
    return with_settings(Config(), small | {k.replace("__", "."): v for k, v in settings.items()})


def made(seed=0, table=TABLE, **settings):
    torch.manual_seed(seed)
    return new_model(configured(**settings), table, SEQUENCES)


@pytest.mark.parametrize(
    ("wanted", "text", "image", "found"),
    [
        ("auto", [1, 2], [2, 0], "both"),
        ("auto", [1, 2], [0, 0], "text"),
        ("auto", [0, 0], [0, 1], "image"),
        ("auto", [0, 0], [0, 0], "both"),
        ("both", [1, 2], [0, 0], "both"),
        ("image", [1, 2], [0, 0], "image"),
    ],
)
def test_a_model_has_the_modalities_of_the_features(wanted, text, image, found):
    table = toy_table(text, image, width=13)
    config = fit_to_features(configured(model__modalities=wanted), table)
    assert (config.modalities, config.feature_dim) == (found, 13)


@pytest.mark.parametrize(
    ("settings", "width"),
    [
        ({}, 0),
        ({"features__whitening": "centre"}, WIDTH),
        ({"features__whitening": "zca"}, WIDTH),
        ({"features__whitening": "pca"}, WIDTH),
        ({"features__whitening": "pca", "features__whitening_dim": 4}, 4),
        ({"features__whitening": "pca", "features__whitening_dim": 99}, WIDTH),
    ],
)
def test_the_width_after_whitening(settings, width):
    assert fit_to_features(configured(**settings), TABLE).whitened_dim == width
    assert made(**settings).adapt["text"].project.in_features == (width or WIDTH)


def test_whitening_is_learned_from_the_items_of_the_training_alone():
    """Items that occur in no training sequence, and those without a slot, have no influence."""
    seen = torch.from_numpy(SEQUENCES.item_counts() > 0)
    model = made(features__whitening="pca")
    for modality in ("text", "image"):
        slots = getattr(TABLE, modality)
        x = slots.means()[seen & (slots.counts > 0)]
        found = model.whiten[modality](x)
        torch.testing.assert_close(torch.cov(found.T, correction=0), torch.eye(WIDTH), **CLOSE)
        other = slots.vectors.clone()
        never = ~seen.repeat_interleave(slots.counts)
        assert never.any()
        other[never] += 5
        changed = TABLE.__class__(
            **{**TABLE.__dict__, modality: slots.__class__(other, slots.starts, slots.counts)}
        )
        again = made(table=changed, features__whitening="pca").whiten[modality]
        assert torch.equal(again.matrix, model.whiten[modality].matrix)


CLOSE = {"atol": 1e-3, "rtol": 0}


def test_whitening_goes_along_to_other_data():
    """A pre-trained model takes its whitening to the data that it is fine-tuned on."""
    model = made(features__whitening="zca")
    after = transfer(model, n_items=3)
    assert torch.equal(after.whiten["text"].matrix, model.whiten["text"].matrix)
    assert torch.equal(after.whiten["text"].mean, model.whiten["text"].mean)


def test_random_weights_do_not_depend_on_whitening():
    plain, whitened = made(), made(features__whitening="centre")
    assert torch.equal(plain.adapt["text"].project.weight, whitened.adapt["text"].project.weight)


@pytest.mark.parametrize("adaptor", ["linear", "mlp"])
@pytest.mark.parametrize("whitening", ["none", "pca"])
def test_a_projector_starts_with_the_principal_components(adaptor, whitening):
    model = made(model__adaptor=adaptor, features__whitening=whitening)
    seen = torch.from_numpy(SEQUENCES.item_counts() > 0) & (TABLE.text.counts > 0)
    x = model.whiten["text"](TABLE.text.means()[seen])
    found = model.adapt["text"].first(x) / (1 if adaptor == "mlp" else 0.02)
    torch.testing.assert_close(torch.cov(found.T, correction=0), torch.eye(6), **CLOSE)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(6), **CLOSE)


@pytest.mark.parametrize("adaptor", ["linear", "mlp"])
def test_its_output_starts_as_small_as_id_embeddings(adaptor):
    model = made(model__adaptor=adaptor, features__whitening="pca", model__dim=10)
    z = model.eval().embed_modality("text", TABLE.text, (TABLE.text.counts > 0).nonzero()[:, 0])
    assert 0.005 < z.std() < 0.04


def test_more_outputs_than_features_keep_random_weights():
    layer = made(model__adaptor="linear", model__dim=16).adapt["text"].first
    assert layer.weight.shape == (16, WIDTH)
    assert layer.weight[WIDTH:].abs().sum(dim=1).all()


@pytest.mark.parametrize("kind", [SASRec, SummedFeatures])
def test_baselines_are_made_alike(kind):
    config = configured(features__whitening="pca", model__adaptor="linear")
    model = new_model(config, TABLE, SEQUENCES, 40, kind)
    assert isinstance(model, kind)
    assert len(model.ids.weight) == 41
    z = model.item_embeddings(TABLE, torch.arange(41))
    assert all(embeddings.isfinite().all() for embeddings in z.values())
