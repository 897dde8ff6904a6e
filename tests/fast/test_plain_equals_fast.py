"""One training step in plain and in fast form: the same loss and the same gradients."""

from dataclasses import replace

import pytest
import torch

from msm4sr_lite import fast
from msm4sr_lite.baselines import SASRec, SummedFeatures
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, MoEAdaptor
from msm4sr_lite.fast import encoder, losses, objectives
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.whitening import Whitening
from tests.toys import assert_same_weights, toy_sequences, toy_table

# Ragged rows; prime sizes, all different: 11 sequences, 23 items, D = 13, d = 14 = 2 heads of 7.
# Items 20 to 23 occur in no sequence, so they are not seen in training.
SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6, 12, 17, 3, 11], n_items=19)
TABLE = toy_table([2, 1, 3, 0] * 5 + [5, 1, 2], [1, 0, 2] * 7 + [3, 1], width=13)
SIZES = {"feature_dim": 13, "dim": 14, "ffn_dim": 17, "max_len": 19, "experts": 3}
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)
MODEL = ModelConfig(**SIZES, **NO_DROPOUT, pooling_dim=5)
POPULARITY = torch.bincount(torch.from_numpy(SEQUENCES.interactions), minlength=24) + 0.0


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def outcome(net, config):
    """Loss, its parts, and the gradients of all weights for one batch of all sequences."""
    options = config.prefix_augmentation, config.targets_per_sequence
    batch = next(training_batches(SEQUENCES, 19, 10**6, rng(1), *options))
    net.zero_grad()
    if isinstance(config, PretrainConfig):
        loss, parts = pretraining_loss(net, TABLE, batch, config, rng(2))
    else:
        popularity = POPULARITY / POPULARITY.sum()
        loss, parts = finetuning_loss(net, TABLE, batch, config, rng(2), popularity)
    loss.backward()
    # No gradient and a zero gradient are the same to the optimizer, but for weight decay.
    named = net.named_parameters()
    gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in named}
    return loss.detach(), parts, gradients


def assert_same_step(net, config):
    """Rows are sorted by the fast form and not by the plain one, so both get the plain batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("msm4sr_lite.fast.sequences.sorted", lambda rows, key: rows, raising=False)
        net.train()
        quick = outcome(net, config)
        with fast.switched_off():
            plain = outcome(net, config)
    torch.testing.assert_close(quick[0], plain[0], atol=1e-5, rtol=1e-5)
    assert quick[1].keys() == plain[1].keys()
    for name, part in plain[1].items():
        torch.testing.assert_close(quick[1][name], part, atol=1e-5, rtol=1e-5, msg=name)
    for name, gradient in plain[2].items():
        scale = max(1.0, float(gradient.abs().max()))
        difference = (quick[2][name] - gradient).abs().max()
        assert difference <= 1e-5 * scale, f"{name}: {difference} of {scale}"
    assert any(gradient.any() for gradient in plain[2].values())


MODELS = {
    "paper": {},
    "authors": {"train_pooling": False, "mask_padding": False},
    "unmasked pooling trains": {"mask_padding": False},
    "projections": {"projections": True},
    "text": {"modalities": "text"},
    "image with a projection": {"modalities": "image", "projections": True},
    "mean pooling": {"item_pooling": "mean"},
    "one expert, one layer": {"experts": 1, "layers": 1},
    "whitening": {"whitened_dim": 7},
    "linear adaptor": {"adaptor": "linear"},
    "whitening and two layers": {"whitened_dim": 13, "adaptor": "mlp"},
}
PRETRAINING = {
    "paper": {},
    "authors": {
        "prefix_augmentation": True,
        "drop_keeps": "last",
        "same_target": "zero_logit",
        "cmcl_form": "rowwise",
    },
    "logit 0, symmetric": {"same_target": "zero_logit"},
    "rowwise": {"cmcl_form": "rowwise"},
    "users": {"nip_same_user": "exclude", "cmcl_same_user": "keep"},
    "per sequence": {"mixup_per": "sequence", "drop_per": "sequence", "drop_max": 0.6},
    "weights": {"nip_weight": 0.5, "cmcl_weight": 2.0, "temperature": 0.5},
    "few targets": {"targets_per_sequence": 2},
}
FINETUNING = {
    "paper": {},
    "authors": {"prefix_augmentation": True, "pad_class": True},
    "seen": {"candidates": "seen"},
    "seen and padding": {"candidates": "seen", "pad_class": True},
    "sampled negatives": {"n_negatives": 7},
    "sampled negatives, seen": {"n_negatives": 29, "candidates": "seen"},
    "few targets": {"targets_per_sequence": 3, "temperature": 0.3},
}


def new_model(**options):
    torch.manual_seed(0)
    net = M2SE(replace(MODEL, **options))
    for module in net.modules():  # else all experts have the same gate, and whitening does nothing
        if isinstance(module, MoEAdaptor):
            torch.nn.init.normal_(module.gate.weight)
        if isinstance(module, Whitening):
            module.fit(torch.rand(50, 13), "pca")
    return net


@pytest.mark.parametrize("options", PRETRAINING.values(), ids=PRETRAINING)
@pytest.mark.parametrize("model", ["paper", "projections"])
def test_pre_training_with_every_option(model, options):
    assert_same_step(new_model(**MODELS[model]), PretrainConfig(**options))


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_pre_training_of_every_model(options):
    assert_same_step(new_model(**options), PretrainConfig(cmcl_weight=0.5))


@pytest.mark.parametrize("options", FINETUNING.values(), ids=FINETUNING)
def test_fine_tuning_with_every_option(options):
    assert_same_step(new_model(n_items=23), FinetuneConfig(**options))


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_fine_tuning_of_every_model(options):
    assert_same_step(new_model(n_items=23, **options), FinetuneConfig())


@pytest.mark.parametrize("kind", [SASRec, SummedFeatures])
def test_models_of_the_baselines(kind):
    torch.manual_seed(0)
    assert_same_step(kind(replace(MODEL, n_items=23)), FinetuneConfig())


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_many_small_blocks_and_groups(stage, monkeypatch):
    """Every kernel works in pieces: sequences, items, rows of scores, items of the catalogue."""
    for module, name, size in (
        (objectives, "ROWS_TOGETHER", 2),
        (encoder, "POOL_ITEMS", 4),
        (losses, "BLOCK_SCORES", 100),
        (losses, "CATALOGUE_SCORES", 30),
        (losses, "CATALOGUE_ROWS", 1),
    ):
        monkeypatch.setattr(module, name, size)
    if stage == "pretrain":
        assert_same_step(new_model(), PretrainConfig())
    else:
        assert_same_step(new_model(n_items=23), FinetuneConfig())


@pytest.mark.parametrize("preset", PRESETS)
def test_the_weights_have_the_same_names_and_values(preset):
    net = new_model(n_items=23)
    with fast.switched_off():
        plain = new_model(n_items=23)
    assert_same_weights(net, plain)
