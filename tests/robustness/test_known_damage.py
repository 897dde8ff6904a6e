"""Damaged inputs that once led to a traceback, a silent difference or an unclear message.

Each one is made here from good inputs, with a command that meets it and the outcomes that are
right.
"""

import gzip
import json
import math
import re
import signal

import pytest

from msm4sr_lite.store.checksums import write_checksums
from tests.robustness.outcomes import command, judge
from tests.robustness.stop_targets import STAGES, StopRunner
from tests.robustness.stops import Stop, run_stopped
from tests.robustness.uses import check_dataset, encode, use_run
from tests.robustness.world import copy_folder, rows, settings

pytestmark = pytest.mark.thorough
DEEP = "[" * 900 + "]" * 900


def edit_record(change):
    """Return the damage that changes the record of a run's model."""

    def damage(run):
        path = run / "finetuned" / "record.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

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


def null_line(run):
    path = run / "features" / "keywords.jsonl"
    path.write_text("null\n" + path.read_text())


RUNS = {
    "keywords_null_line": (null_line, "keywords.jsonl: cannot be read"),
    "record_settings_null": (
        edit_record(lambda r: r | {"settings": None}),
        "record.json: .*settings",
    ),
    "record_without_features": (edit_record(without("features")), ""),
    "record_without_settings": (edit_record(without("settings")), ""),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_damaged_run_with_new_checksums_is_refused_or_makes_no_difference(name, world, tmp_path):
    """The checks of weights and arrays have tests beside their modules."""
    damage, reason = RUNS[name]
    run = tmp_path / "case" / "run"
    copy_folder(world.site, run.parent)
    expected = use_run(run.parent)
    damage(run)
    for folder in ("features", "finetuned"):
        write_checksums(run / folder)
    outcome = judge(lambda: use_run(run.parent), expected, folder=run.parent)
    assert outcome.kind == ("refused" if reason else "clean"), outcome
    assert re.search(reason, outcome.detail)


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


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_polite_signal_keeps_the_state_of_a_training(number, world, tmp_path):
    """The signal comes while an epoch is logged; the training stops after it, in one line."""
    stage = next(stage for stage in STAGES if stage.name == "stop pretrain")
    runner = StopRunner(world, stage, tmp_path / "case")
    expected, _ = runner.undisturbed()
    runner.prepare()
    ended = run_stopped(runner.words, Stop(4, signal.Signals[number]))
    assert ended.code == 128 + signal.Signals[number], ended
    assert ended.err.splitlines()[-1].startswith("msm4sr pretrain: stopped")
    assert list((tmp_path / "case" / "run").glob("*.state"))
    assert runner.again() == (expected, [])


def test_settings_of_the_world_exist(world):
    """A misspelt small setting would be refused everywhere and hide other outcomes."""
    words = ["pretrain", world.site / "dataset", "--out", world.site / "again"]
    assert command(*words, "--features", world.site / "run/features", *settings("model"))
