"""``msm4sr study``: its parts on a small dataset, as text and as JSON."""

import json

import pytest
from toys import toy_dataset

from msm4sr_lite.cli import main
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features.stages import compute_features
from msm4sr_lite.study.compare import read_configs

FEW = ["--models", "popularity,item_knn,text,text+image"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, tiny_bert):
    """A study folder with chosen settings, and the flags of the study."""
    folder = tmp_path_factory.mktemp("study")
    data, out = toy_dataset(folder / "dataset", users=9, items=14), folder / "study"
    compute_features(Dataset.from_folder(data), data, text_encoder=tiny_bert)
    flags = [str(data), "--out", str(out), "--seeds", "2"]
    for setting in ("batch_size=32", "pretrain_epochs=1", "finetune_epochs=1"):
        flags += ["--set", f"budget.{setting}"]
    assert main(["study", "tune", *flags, *FEW, "--json"]) == 0
    assert not (out / "access_log.json").exists()
    return out, flags


def test_tune_chooses_settings_without_the_test_part(tuned, json_of, msm4sr):
    flags = tuned[1]
    configs = json_of("study", "tune", *flags, *FEW)["configs"]
    assert set(configs) == {"popularity", "item_knn", "text"}
    err = msm4sr("study", "tune", *flags, *FEW)[2]
    assert "text+image skipped: the dataset has no image\n" in err
    assert "choosing" not in err  # all are chosen already


def test_main_compares_models_as_json_and_as_a_table(tuned, json_of, msm4sr):
    out, flags = tuned
    result = json_of("study", "main", *flags, *FEW)["main"]
    assert result == json.loads((out / "main.json").read_text())
    assert (result["users"], result["cases"], result["seeds"]) == (9, 9, [1, 2])
    assert set(result["models"]) == {"popularity", "item_knn", "text"}
    assert len(result["models"]["text"]["filter_seen"]["ndcg@10"]["seeds"]) == 2
    assert len(result["access_log"]) == 1
    code, text, err = msm4sr("study", "main", *flags, *FEW)
    assert code == 0
    assert "9 users, 9 test cases (leave-one-out" in text
    assert "item_knn" in text
    assert f"study: results in {out}\n" in err


def test_given_configs_may_lack_models_with_one_setting(tuned, json_of, tmp_path):
    out, flags = tuned
    frozen = read_configs(out / "configs.json")
    del frozen["popularity"]
    given = tmp_path / "given.json"
    given.write_text(json.dumps(frozen))
    result = json_of("study", "main", *flags, *FEW, "--configs", given)["main"]
    assert result["configs"]["popularity"] == {}


@pytest.mark.thorough
def test_ablations_change_one_thing(tuned, msm4sr):
    flags = tuned[1]
    some = ["--models", "no mixup,mean pooling,no ids,with ids", "--json"]
    code, printed, err = msm4sr("study", "ablations", *flags, *some)
    assert code == 0
    result = json.loads(printed)["ablations"]
    has_ids = result["configs"]["msm4sr"]["finetune.use_ids"]
    same, other = ("with ids", "no ids") if has_ids else ("no ids", "with ids")
    assert f"study: {same} skipped: equal to msm4sr with its chosen settings\n" in err
    assert "study: no mixup skipped: the dataset has no image\n" in err
    assert set(result["models"]) == {"msm4sr", "mean pooling", other}  # msm4sr to compare with
    assert set(result["change"]) == {"mean pooling", other}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["main", "--models", "magic"], "models: no 'magic'; choose from popularity"),
        (["ablations", "--models", "popularity"], "models: no 'popularity'; choose from msm4sr"),
        (["main", "--seeds", "0"], "argument --seeds: n_seeds must be an integer >= 1 and"),
        (["main", "--jobs", "0"], "jobs must be an integer >= 1 and <= 1000; got 0"),
        (["transfer"], "a transfer study needs a source and a target"),
        (["main", "--set", "budget.patience=-1"], "budget.patience must be an integer >= 0"),
    ],
)
def test_mistakes_are_one_line(tuned, msm4sr, words, message):
    part, *more = words
    code, out, err = msm4sr("study", part, *tuned[1], *more)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


@pytest.mark.thorough
def test_a_quick_study_has_one_seed(tuned, json_of, tmp_path):
    flags = [tuned[1][0], "--out", tmp_path / "quick", "--quick", "--models", "popularity,item_knn"]
    result = json_of("study", "all", *flags)
    assert set(result) == {"main"}
    assert (result["main"]["seeds"], result["main"]["quick"]) == ([1], True)


def test_the_dataset_folder_is_no_study_folder(toy, refused):
    assert "is the dataset folder" in refused("study", "main", toy.data, "--out", toy.data)
