"""Further models and ablations of a study."""

import numpy as np

from benchmarks.studies import more_models
from benchmarks.studies.more_models import OtherFeatures, further_ablations, further_models
from msm4sr_lite import training
from msm4sr_lite.config import DataConfig
from msm4sr_lite.study.ablations import is_main
from tests.tiny_study import SHORT, TINY, study_data_with_more


def test_names_of_runs_hold_no_address():
    specs = further_ablations("clip", None) | further_models(DataConfig(), None)
    assert "raw CLIP embeddings" in specs
    for name, spec in specs.items():
        assert "0x" not in repr(spec), name


def test_other_features_are_made_once_for_all_seeds(data, tmp_path):
    made = []

    def table(data):
        made.append(data)
        return data.table

    spec = OtherFeatures(table=table)
    settings = {**SHORT.budget.settings(), **TINY}
    assert not is_main(spec, data, settings)
    for seed in (1, 2):
        assert spec.fit(data, settings, seed, tmp_path).score([np.array([1])]).shape == (1, 20)
    assert len(made) == 1


def test_the_whole_dataset_is_pre_trained_on_and_the_core_fine_tuned_on(tmp_path, monkeypatch):
    (data, table), seen = study_data_with_more(), []

    def spy(stage):
        plain = getattr(training, stage)

        def wrapped(model, table, sequences, *rest, **options):
            seen.append((stage, table.items[1:], sequences.users))
            return plain(model, table, sequences, *rest, **options)

        monkeypatch.setattr(training, stage, wrapped)

    spy("pretrain")
    spy("finetune")
    monkeypatch.setattr(more_models, "load_feature_table", lambda folder: table)
    spec = further_models(DataConfig(), tmp_path)["msm4sr_tuned+whole"]
    scorer = spec.fit(data, {**SHORT.budget.settings(), **TINY}, 1, tmp_path)
    assert scorer.score([np.array([1, 2])]).shape == (1, 9)
    assert [stage for stage, *_ in seen] == ["pretrain", "finetune"]
    assert seen[0][1:] == (list("abcdefghuvwxyz"), [*(f"u{n}" for n in range(8)), "few", "out"])
    assert seen[1][1:] == (list("abcdefgh"), [f"u{n}" for n in range(8)])
