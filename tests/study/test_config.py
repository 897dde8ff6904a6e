"""Settings of a study."""

from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import TrainingBudget, TransferConfig
from tests.tiny_study import TWO


def test_a_small_dataset_is_trained_on_in_small_batches(data, tmp_path):
    """Forty steps an epoch at least, unless a batch size is asked for."""
    for targets in (1, 100, 2_560, 5_796, 20_480, 10**6):
        size = TrainingBudget().for_targets(targets).batch_size
        assert 64 <= size <= 512
        assert targets // size >= 40 or size == 64
        assert targets // (2 * size) < 40 or size == 512
        assert TrainingBudget(batch_size=300).for_targets(targets) == TrainingBudget(batch_size=300)
    assert Comparison(data, tmp_path).budget.batch_size == 64


def test_a_small_share_of_users_has_more_epochs_and_two_learning_rates():
    protocol = TransferConfig(steps=4, batch_size=10, finetune_epochs=9)
    assert TWO[1].training_targets() == 22
    whole, small = (protocol.finetuning(TWO[1].training_targets(), share) for share in (1.0, 0.1))
    assert [config.lr for config in whole] == list(protocol.rates_large)
    assert [config.lr for config in small] == list(protocol.rates)
    assert whole[0].epochs == 2  # four steps of ten targets are not twice 22
    assert {config.epochs for config in small} == {9}
