"""`run_study`: parts, settings, what is written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.study import run
from msm4sr_lite.study.config import QUICK, StudyConfig
from msm4sr_lite.study.run import about, default_folder, run_study
from tests.tiny_study import SHORT, study_data_with_whole


def test_the_folder_is_named_after_the_dataset(data):
    dataset = replace(data.dataset, name="toys", domain="home")
    assert default_folder(dataset, StudyConfig()) == Path("runs/study-toys-home")
    dataset = replace(dataset, domain="")
    assert default_folder(dataset, QUICK) == Path("runs/study-toys-quick")


def test_a_study_runs_from_python(tmp_path):
    data, finished = study_data_with_whole(), []
    config = replace(QUICK, models=("popularity", "item_knn"), data=DataConfig())
    result = run_study(
        "all",
        data.dataset,
        data.whole.table,
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
        run_study("main", data.dataset, data.whole.table, tmp_path, config)


def test_without_matplotlib_the_forest_plot_is_skipped(tmp_path, monkeypatch, capsys):
    def no_matplotlib(result, path):
        raise ImportError("No module named 'matplotlib'")

    monkeypatch.setattr(run, "draw", no_matplotlib)
    data = study_data_with_whole()
    config = replace(QUICK, budget=SHORT, models=("no mixup",))
    run_study("ablations", data.dataset, data.whole.table, tmp_path, config)
    assert (tmp_path / "ablations.json").is_file()
    assert not (tmp_path / "ablations.png").exists()
    expected = "study: ablations.png skipped: needs matplotlib (pip install 'msm4sr_lite[course]')"
    assert expected in capsys.readouterr().err


def test_results_name_the_split(data):
    assert about(data, StudyConfig(data=DataConfig(n_test=3)), SHORT)["split"] == "leave-one-out"
    cuts = np.diff(data.sequences.offsets)[:, None] - [4, 3]
    with_cuts = replace(data, sequences=replace(data.sequences, cuts=cuts))
    config = StudyConfig(data=DataConfig(n_test=3))
    assert about(with_cuts, config, SHORT)["split"] == "leave-3-out"
