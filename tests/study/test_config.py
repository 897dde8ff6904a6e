"""Settings of a study."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.study.config import StudyConfig, TrainingBudget


def test_a_small_dataset_is_trained_on_in_small_batches():
    """Forty steps an epoch at least, unless a batch size is asked for."""
    for targets in (1, 100, 2_560, 5_796, 20_480, 10**6):
        size = TrainingBudget().for_targets(targets).batch_size
        assert 64 <= size <= 512
        assert targets // size >= 40 or size == 64
        assert targets // (2 * size) < 40 or size == 512
        assert TrainingBudget(batch_size=300).for_targets(targets) == TrainingBudget(batch_size=300)


def test_the_budget_is_that_of_both_stages():
    found = TrainingBudget(batch_size=32, pretrain_epochs=3, patience=2).settings()
    assert found == {
        "pretrain.batch_size": 32, "pretrain.epochs": 3, "pretrain.patience": 2,
        "finetune.batch_size": 32, "finetune.epochs": 60, "finetune.patience": 2,
    }  # fmt: skip


def test_a_study_has_a_seed_and_a_job_at_least():
    assert StudyConfig(n_seeds=2).seeds == [1, 2]  # seed 0 chooses the settings
    with pytest.raises(UserError, match="n_seeds must be an integer >= 1 and <= 1000; got 0"):
        StudyConfig(n_seeds=0)
    with pytest.raises(UserError, match="jobs must be an integer >= 1 and <= 1000; got 0"):
        StudyConfig(jobs=0)
