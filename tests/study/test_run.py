"""`msm4sr study` and `run_study`: parts, settings, what is written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msm4sr_lite.cli import build_parser, main
from msm4sr_lite.cli.study import study_folder
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features.stages import compute_features
from msm4sr_lite.study import run
from msm4sr_lite.study.compare import read_configs
from msm4sr_lite.study.config import QUICK, StudyConfig
from msm4sr_lite.study.run import about, run_study
from tests.tiny_study import SHORT, study_data_with_whole
from tests.toys import toy_dataset


def test_the_command_tunes_tests_and_ablates_a_toy_dataset(tmp_path, tiny_bert, capsys):
    dataset, out = toy_dataset(tmp_path / "dataset", users=9, items=14), tmp_path / "study"
    compute_features(Dataset.from_folder(dataset), dataset, text_encoder=tiny_bert)
    common = [str(dataset), "--out", str(out), "--seeds", "2"]
    for setting in ("batch_size=32", "pretrain_epochs=1", "finetune_epochs=1"):
        common += ["--set", f"budget.{setting}"]
    few = ["--models", "popularity,item_knn,text,text+image"]
    capsys.readouterr()
    assert main(["study", "tune", *common, *few, "--json"]) == 0
    printed = capsys.readouterr()
    assert set(json.loads(printed.out)["configs"]) == {"popularity", "item_knn", "text"}
    assert "text+image skipped: the dataset has no image\n" in printed.err
    assert "study: choosing settings, 8 runs\n" in printed.err
    assert not (out / "access_log.json").exists()

    assert main(["study", "main", *common, *few, "--json"]) == 0
    printed = capsys.readouterr()
    assert "study: testing, 4 runs\n" in printed.err
    assert "choosing" not in printed.err
    result = json.loads(printed.out)["main"]
    assert result == json.loads((out / "main.json").read_text(encoding="utf-8"))
    assert (result["users"], result["cases"], result["seeds"]) == (9, 9, [1, 2])
    assert set(result["models"]) == {"popularity", "item_knn", "text"}
    assert len(result["models"]["text"]["filter_seen"]["ndcg@10"]["seeds"]) == 2
    assert len(result["access_log"]) == 1

    assert main(["study", "main", *common, *few]) == 0
    text = capsys.readouterr().out
    assert "9 users, 9 test cases (leave-one-out" in text
    assert "item_knn" in text

    # A file of chosen settings need not name a model with one setting only.
    frozen = read_configs(out / "configs.json")
    del frozen["popularity"]
    (tmp_path / "given.json").write_text(json.dumps(frozen), encoding="utf-8")
    given = ["--configs", str(tmp_path / "given.json")]
    capsys.readouterr()
    assert main(["study", "main", *common, *few, *given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["main"]["configs"]["popularity"] == {}

    capsys.readouterr()
    some = ["--models", "no mixup,no ids,with ids"]
    assert main(["study", "ablations", *common, *some, "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)["ablations"]
    has_ids = result["configs"]["msm4sr"]["finetune.use_ids"]
    same, other = ("with ids", "no ids") if has_ids else ("no ids", "with ids")
    assert f"study: {same} skipped: equal to msm4sr with its chosen settings\n" in printed.err
    assert set(result["models"]) == {"msm4sr", "no mixup", other}  # msm4sr to compare with
    assert set(result["change"]) == {"no mixup", other}
    assert (out / "ablations.png").read_bytes().startswith(b"\x89PNG")
    assert main(["study", "ablations", *common, "--models", "popularity"]) == 2
    assert "models: no 'popularity'; choose from msm4sr, no pre-training" in capsys.readouterr().err

    for extra, message in (
        (["--models", "magic"], "models: no 'magic'; choose from popularity"),
        (["--seeds", "0"], "seeds must be at least 1; got 0"),
        (["--jobs", "0"], "jobs must be at least 1; got 0"),
    ):
        assert main(["study", "main", *common, *extra]) == 2
        assert message in capsys.readouterr().err


def test_the_folder_is_named_after_the_dataset(tmp_path):
    args = build_parser().parse_args(["study", "main", str(tmp_path / "toys"), "--domain", "home"])
    assert study_folder(args) == Path("runs/study-toys-home")
    args = build_parser().parse_args(["study", "main", str(tmp_path / "toys"), "--quick"])
    assert study_folder(args) == Path("runs/study-toys-quick")


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
