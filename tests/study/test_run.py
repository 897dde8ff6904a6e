"""`run_study`: parts, settings, what is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import QUICK, StudyConfig, TrainingBudget
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.run import about, default_folder, run_study
from tests.tiny_study import SHORT, study_data_with_more, three_tests


def test_the_folder_is_named_after_the_dataset(data):
    dataset = replace(data.dataset, name="toys", domain="home")
    assert default_folder(dataset, StudyConfig()) == Path("runs/study-toys-home")
    dataset = replace(dataset, domain="")
    assert default_folder(dataset, QUICK) == Path("runs/study-toys-quick")


def test_a_study_runs_from_python(tmp_path):
    (data, table), finished = study_data_with_more(), []
    config = replace(QUICK, models=("popularity", "item_knn"), data=DataConfig())
    result = run_study(
        "all",
        data.dataset,
        table,
        tmp_path,
        config,
        callback=lambda *part: finished.append(part),
    )
    assert set(result) == {"main"}  # a quick study is no more
    assert finished == [("main", result["main"])]
    assert set(result["main"]["models"]) == {"popularity", "item_knn"}
    assert (result["main"]["dataset"], result["main"]["quick"]) == ("toy", True)
    config = replace(config, models=("magic",))
    with pytest.raises(UserError, match=r"models: no 'magic'; choose from popularity"):
        run_study("main", data.dataset, table, tmp_path, config)


def test_the_dataset_folder_is_no_study_folder(tmp_path):
    data, table = study_data_with_more()
    with pytest.raises(UserError, match="is the dataset folder"):
        run_study("main", replace(data.dataset, folder=tmp_path), table, tmp_path, QUICK)
    assert list(tmp_path.iterdir()) == []


def test_results_name_the_split(data, tmp_path):
    config = replace(SHORT, data=DataConfig(n_test=3))
    assert about(Comparison(data, tmp_path, config, MODELS))["split"] == "leave-one-out"
    data = three_tests(data)
    assert about(Comparison(data, tmp_path, config, MODELS))["split"] == "leave-3-out"


def test_cold_items_are_trained_with_the_batch_size_of_the_comparison(data, tmp_path, monkeypatch):
    """Interactions are removed for it, which would make the batches smaller."""
    sizes = []
    config = replace(QUICK, models=("popularity",))
    monkeypatch.setattr(TrainingBudget, "for_targets", spy(sizes, TrainingBudget.for_targets))
    monkeypatch.setattr("msm4sr_lite.study.specs.prepare", lambda *_: data)
    result = run_study("cold", data.dataset, data.table, tmp_path, config)["cold"]
    assert result["items_removed"]
    assert result["budget"]["batch_size"] == sizes[0].batch_size
    assert result["interactions"] < len(data.sequences.interactions)


def spy(found, plain):
    """Return a function that lists what ``plain`` returns."""

    def wrapped(*args):
        found.append(plain(*args))
        return found[-1]

    return wrapped
