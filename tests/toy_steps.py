"""One training step of a small model on one batch, for tests of losses and their fast forms."""

from dataclasses import replace

import torch

from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.sequences import training_batches
from tests.toys import toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6, 12, 17], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])
SMALL = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=9, experts=3, pooling_dim=5)
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def model(**options):
    torch.manual_seed(0)
    return M2SE(replace(SMALL, **NO_DROPOUT, **options)).train()


def batch(**options):
    return next(training_batches(SEQUENCES, 9, 10**6, rng(), **options))


def outcome(stage, data=None, config=None, net=None):
    """Loss, parts, and the gradients of all weights."""
    data = data or batch()
    if stage == "pretrain":
        net = net or model()
        loss, _ = pretraining_loss(net, TABLE, data, config or PretrainConfig(), rng())
    else:
        net = net or model(n_items=19)
        loss, _ = finetuning_loss(net, TABLE, data, config or FinetuneConfig(), rng())
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in net.named_parameters()}
