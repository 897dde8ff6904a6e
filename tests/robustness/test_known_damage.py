"""Damaged inputs that once led to a traceback, a silent difference or an unclear message.

Each one is made here from good inputs, with a command that meets it and the outcomes that are
right.
"""

import gzip
import json
import math
import signal

import numpy as np
import pytest

from tests.robustness.outcomes import Fault, command, judge
from tests.robustness.stop_targets import STAGES, StopRunner
from tests.robustness.stops import Stop, run_stopped
from tests.robustness.uses import check_dataset, encode, use_run
from tests.robustness.world import copy_folder, rows, settings

pytestmark = pytest.mark.thorough
DEEP = "[" * 900 + "]" * 900


def edit_json(name, change):
    """Return the damage that changes the value in a JSON file of a run."""

    def damage(folder):
        path = folder / "run" / name
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return damage


def edit_array(name, change):
    """Return the damage that changes an array of the features."""

    def damage(folder):
        path = folder / "run" / "features" / name
        np.save(path, change(np.load(path)))

    return damage


def edit_weights(change):
    """Return the damage that changes all weights of the fine-tuned model."""
    from safetensors.torch import load_file, save_file

    def damage(folder):
        path = folder / "run" / "finetuned" / "model.safetensors"
        save_file(change(load_file(path)), path)

    return damage


def edit_text(name, old, new, count=1):
    """Return the damage that replaces text in a file."""

    def damage(folder):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, count), encoding="utf-8")

    return damage


def without(key):
    return lambda value: {name: inner for name, inner in value.items() if name != key}


def one_nan(array):
    array[3, 2] = math.nan
    return array


def negative(counts):
    counts[3], counts[4] = -5, counts[3] + counts[4] + 5
    return counts


def all_nan(tensors):
    return {name: tensor * math.nan for name, tensor in tensors.items()}


def null_line(folder):
    path = folder / "run" / "features" / "keywords.jsonl"
    path.write_text("null\n" + path.read_text())


RUNS = {
    "config_dim_text": (edit_json("finetuned/config.json", lambda c: c | {"dim": "64"}), "refused"),
    "config_null": (edit_json("finetuned/config.json", lambda c: None), "refused"),
    "features_nan": (edit_array("text.npy", one_nan), "refused"),
    "items_null": (edit_json("features/items.json", lambda c: None), "refused"),
    "keywords_null_line": (null_line, "refused"),
    "manifest_list": (edit_json("features/manifest.json", lambda c: []), "refused"),
    "model_of_nan": (edit_weights(all_nan), "refused"),
    "negative_counts": (edit_array("text_counts.npy", negative), "refused"),
    "npy_one_dimension": (edit_array("text.npy", lambda a: a.reshape(-1)), "refused"),
    "npy_scalar": (edit_array("text.npy", lambda a: a.flat[0]), "refused"),
    "record_settings_null": (
        edit_json("finetuned/record.json", lambda c: c | {"settings": None}),
        "clean refused",
    ),
    "record_without_features": (
        edit_json("finetuned/record.json", without("features")),
        "clean refused",
    ),
    "safetensors_empty": (edit_weights(lambda t: {}), "refused"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_damaged_run_is_refused_or_makes_no_difference(name, world, tmp_path):
    damage, right = RUNS[name]
    copy_folder(world.site, tmp_path / "case")
    expected = use_run(tmp_path / "case")
    damage(tmp_path / "case")
    outcome = judge(lambda: use_run(tmp_path / "case"), expected, folder=tmp_path / "case")
    assert outcome.kind in right.split(), outcome


def escape_in_header(folder):
    edit_text("interactions.csv", "user_id", "\x1b[31muser\x1b[0m")(folder)


def escape_in_unused_column(folder):
    path = folder / "interactions.csv"
    head, *lines = path.read_text().splitlines()
    lines = [f"{head},\x1b[31mcolour\x1b[0m\u202e", *(f"{line},1" for line in lines)]
    path.write_text("\n".join(lines), encoding="utf-8")


def cut_short(folder):
    path = folder / "interactions.csv"
    (folder / "interactions.csv.gz").write_bytes(gzip.compress(path.read_bytes())[:-40])
    path.unlink()


def far_dates(folder):
    lines = [f"{row['user_id']},{row['item_id']},9999-12-31" for row in rows()]
    text = "\n".join(["user_id,item_id,timestamp", *lines])
    (folder / "interactions.csv").write_text(text)


def as_parquet(stem, change):
    """Return the damage that writes a table as parquet, with another column."""

    def damage(folder):
        import pandas as pd

        if stem == "items":
            frame, old = pd.read_json(folder / "items.jsonl", lines=True), "items.jsonl"
        else:
            frame, old = pd.read_csv(folder / "interactions.csv"), "interactions.csv"
        change(frame)
        frame.to_parquet(folder / f"{stem}.parquet")
        (folder / old).unlink()

    return damage


def no_categories(frame):
    frame["categories"] = math.nan


def nameless(frame):
    frame.loc[[3, 9, 40], "user_id"] = None


TITLE = '"Blue mug number 3"'
DATASETS = {
    "ansi_in_column_names": (escape_in_header, "refused"),
    "ansi_in_an_unused_column": (escape_in_unused_column, "clean refused"),
    "categories_nan_column": (as_parquet("items", no_categories), "clean"),
    "dates_year_9999": (far_dates, "clean refused"),
    "gz_truncated": (cut_short, "refused"),
    "lone_surrogate_item_id": (edit_text("items.jsonl", '"i3"', '"i3\\ud83d"'), "refused"),
    "lone_surrogate_title": (edit_text("items.jsonl", TITLE, '"Mug \\ud83d"'), "clean refused"),
    "nested_900_deep": (edit_text("items.jsonl", TITLE, DEEP), "clean refused"),
    "parquet_null_user": (as_parquet("interactions", nameless), "refused"),
}


def check_and_encode(folder):
    """Check the dataset of a folder, then encode its texts."""
    found = check_dataset(folder / "dataset")
    encode(folder)
    return found


@pytest.mark.parametrize("name", DATASETS)
def test_a_damaged_dataset_is_refused_or_read(name, world, tmp_path):
    damage, right = DATASETS[name]
    folder = tmp_path / "case"
    copy_folder(world.tables("csv", "seconds"), folder / "dataset")
    (folder / "encoders.json").write_text(json.dumps(world.encoders))
    damage(folder / "dataset")
    outcome = judge(lambda: check_and_encode(folder), None, folder=folder, seconds=30.0)
    assert outcome.kind in right.split(), outcome


@pytest.mark.parametrize("setting", ["pretrain.clip_norm=nan", "model.ffn_dim=0"])
def test_a_setting_that_makes_no_sense_is_refused(setting, world, tmp_path):
    words = ["pretrain", world.site / "dataset", "--out", tmp_path / "run", "--set", setting]
    outcome = judge(lambda: command(*words), None, folder=None)
    assert outcome.kind == "refused"
    assert setting.partition("=")[0] in outcome.detail
    assert not (tmp_path / "run").exists()


def test_a_mixup_that_extrapolates_is_refused(world, tmp_path):
    from msm4sr_lite.config import Config
    from msm4sr_lite.settings import fields_by_name

    (name,) = (name for name in fields_by_name(Config) if "mixup" in name and "max" in name)
    words = ["pretrain", world.site / "dataset", "--out", tmp_path / "run", "--set", f"{name}=2"]
    assert judge(lambda: command(*words), None, folder=None).kind == "refused"


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_polite_signal_keeps_the_state_of_a_training(number, world, tmp_path):
    """The signal comes while an epoch is logged; the training stops after it, in one line."""
    stage = next(stage for stage in STAGES if stage.name == "stop pretrain")
    runner = StopRunner(world, stage, tmp_path / "case")
    expected, _ = runner.undisturbed()
    runner.prepare()
    ended = run_stopped(runner.words, Stop(4, signal.Signals[number]))
    assert ended.code == 130, ended
    assert ended.err.splitlines()[-1].startswith("msm4sr pretrain: stopped")
    assert list((tmp_path / "case" / "run").glob("*.state"))
    assert runner.again() == (expected, [])


def test_the_outcome_of_a_case_is_told_from_others(tmp_path):
    """The judge itself: every fault is found."""
    from msm4sr_lite.config import UserError

    def raising(error):
        def act():
            raise error

        return act

    def drafts():
        (tmp_path / ".run.17.draft").mkdir()
        return 1, []

    def sleeps():
        while True:
            pass

    def kind(act, expected=(1, []), **options):
        return judge(act, expected, folder=tmp_path, seconds=0.2, **options).kind

    assert kind(lambda: (1, [])) == "clean"
    assert kind(lambda: (2, [])) == "silent"
    assert kind(lambda: (2, ["note"])) == "noted"
    assert kind(lambda: (1, []), must_refuse=True) == "silent"
    assert kind(raising(UserError(f"{tmp_path}/a.csv line 3: wrong"))) == "refused"
    assert kind(raising(UserError(f"{tmp_path}/a.csv line 3:\nwrong"))) == "message"
    assert kind(raising(UserError(f"{tmp_path}/a.csv \x1b[31m"))) == "message"
    assert kind(raising(UserError("line 3: wrong"))) == "message"
    assert kind(raising(KeyError("a"))) == "traceback"
    assert kind(raising(Fault("silent", "half a folder"))) == "silent"
    assert kind(sleeps) == "hang"
    assert kind(drafts) == "litter"


def test_settings_of_the_world_exist(world):
    """A misspelt small setting would be refused everywhere and hide other outcomes."""
    words = ["pretrain", world.site / "dataset", "--out", world.site / "again"]
    assert command(*words, "--features", world.site / "run/features", *settings("model"))
