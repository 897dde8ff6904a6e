"""`check_run` reads everything in a folder and says what is wrong with each part."""

import json
import shutil

import pytest
from small_dataset import SMALL, dataset, feature_table

from msm4sr_lite import MSM4SR, UserError
from msm4sr_lite.pipeline.check_run import check_run, is_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder and a saved model; copy them before changing them."""
    folder = tmp_path_factory.mktemp("check") / "run"
    model = MSM4SR(**SMALL).fit(dataset(), features=feature_table(), run_dir=folder)
    model.evaluate(part="test", baselines=[])
    model.save_pretrained(folder.parent / "model")
    return folder


PARTS = ["features", "pretrained", "pretrained_log.jsonl", "finetuned", "finetuned_log.jsonl"]


def test_an_undamaged_run_has_no_faults(run):
    assert check_run(run) == dict.fromkeys([*PARTS, "access_log.json"], "")
    assert check_run(run / "features") == {"features": ""}
    assert check_run(run.parent / "model") == {"model": "", "features": ""}
    assert is_run(run)
    assert is_run(run / "features")
    assert not is_run(run.parent)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("features/text.npy", "features"),
        ("pretrained/model.safetensors", "pretrained"),
        ("finetuned/record.json", "finetuned"),
        ("pretrained_log.jsonl", "pretrained_log.jsonl"),
        ("access_log.json", "access_log.json"),
    ],
)
def test_a_damaged_file_is_found(name, part, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).write_bytes((copy / name).read_bytes()[:-20])
    found = check_run(copy)
    assert name in found[part]
    # Models are checked with their features.
    others = {p for p, fault in found.items() if fault and p not in (part, f"{part}_log.jsonl")}
    assert others <= ({"pretrained", "finetuned"} if part == "features" else set())


def test_the_log_of_another_training_is_found(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    log = copy / "pretrained_log.jsonl"
    line = json.loads(log.read_text())
    log.write_text(json.dumps(line | {"loss": 0.0}) + "\n")
    assert "not the log of the training that made" in check_run(copy)["pretrained_log.jsonl"]


def test_states_and_studies_are_read_too(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "pretrained.x.state").write_bytes(b"no state")
    (copy / "runs").mkdir()
    (copy / "runs" / "a.json").write_text("{}")
    (copy / "configs.json").write_text("[]")
    shutil.copytree(copy / "pretrained", copy / "states" / "x")
    (copy / "states" / "x" / "items.json").unlink()
    shutil.copytree(copy / "pretrained", copy / "selection" / "pretrained")
    (copy / "selection" / "pretrained" / "config.json").write_text("{}")
    faults = {name for name, fault in check_run(copy).items() if fault}
    expected = {"pretrained.x.state", "runs/a.json", "configs.json", "states/x"}
    assert faults == expected | {"selection/pretrained"}


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UserError, match="neither a dataset nor a run folder"):
        check_run(tmp_path)
