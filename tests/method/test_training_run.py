"""Steps and epochs of a training: what they change and what they report."""

import copy

import pytest
import torch

from msm4sr_lite.config import ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.training import pretrain_steps
from msm4sr_lite.training_run import Run
from tests.toys import assert_same_weights, toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [0], [1, 1, 0] * 6 + [2])
CONFIG = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=5, experts=3, pooling_dim=5)


def model(**options):
    torch.manual_seed(0)
    return M2SE(ModelConfig(**{**CONFIG.__dict__, **options}))


def test_a_loss_that_is_not_finite_stops_and_names_the_step():
    net = model()
    with torch.no_grad():
        net.adapt["text"].scale.fill_(torch.inf)
    with pytest.raises(
        UserError, match=r"stopped at step 1: the loss is not finite.*nip_text.*learning rate 0.001"
    ):
        list(pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(epochs=1)))


def test_a_gradient_that_is_not_finite_changes_no_weight():
    net = model()
    net.transformer.norm.weight.register_hook(lambda gradient: gradient * torch.inf)
    other = copy.deepcopy(net)
    with pytest.raises(UserError, match=r"gradient (inf|nan)"):
        list(pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(epochs=1)))
    assert_same_weights(net, other)


def test_the_loss_of_an_epoch_weighs_its_steps_by_their_targets():
    config = PretrainConfig(epochs=1, batch_size=7)
    *steps, epoch = pretrain_steps(model(), TABLE, SEQUENCES, config)
    assert len({step.targets for step in steps}) > 1
    total = sum(step.loss * step.targets for step in steps)
    assert epoch.loss == pytest.approx(total / epoch.targets)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_an_epoch_whose_weights_are_not_finite_is_refused(bad):
    net = model()
    run = Run(net, torch.optim.Adam(net.parameters()), best := copy.deepcopy(net.state_dict()))
    run.seen = 1
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = bad
    with pytest.raises(UserError, match=r"stopped after epoch 1: .* is not finite with learning"):
        run.end_epoch(float("nan"))
    assert run.best is best
    assert all(weight.isfinite().all() for weight in best.values())


def test_clip_norm_0_means_no_clipping():
    """The weights change, exactly as with a norm that no gradient reaches."""
    nets = {}
    for norm in (0, 1e30, 1e-3):
        nets[norm] = model()
        list(pretrain_steps(nets[norm], TABLE, SEQUENCES, PretrainConfig(epochs=2, clip_norm=norm)))
    assert_same_weights(nets[0], nets[1e30])
    for other in (model(), nets[1e-3]):
        with pytest.raises(AssertionError):
            assert_same_weights(nets[0], other)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"device": "tpu"}])
def test_a_seed_or_device_that_cannot_be_is_refused(wrong):
    with pytest.raises(UserError, match=rf"^{next(iter(wrong))} must be "):
        list(pretrain_steps(model(), TABLE, SEQUENCES, PretrainConfig(epochs=1), **wrong))
