"""The comparison with version 1: its settings are complete, and a difference is seen."""

import copy
from dataclasses import fields

import pytest

from benchmarks.studies.version_1 import CHANGES, compare, settings_of
from benchmarks.versions import RENAMED, in_version_1
from msm4sr_lite import config

SECTIONS = ("data", "model", "pretrain", "finetune")
FROM_DATA = {"feature_dim", "n_items"}  # not chosen by anyone
NEW = {"valid_from", "test_from"}  # version 1 had no such settings


@pytest.mark.parametrize("preset", sorted(CHANGES.keys() & config.PRESETS.keys()))
def test_settings_are_those_of_the_presets_but_for_epochs_and_batches(preset):
    settings, expected = settings_of(preset, epochs=2), config.as_dict(config.PRESETS[preset])
    for section in SECTIONS:
        wanted = {k: v for k, v in expected[section].items() if k not in FROM_DATA | NEW}
        wanted |= {"batch_size": 256, "epochs": 2} if section in ("pretrain", "finetune") else {}
        assert settings[section] == wanted


def test_renamed_settings_are_settings_of_this_checkout():
    names = {
        field.name
        for section in SECTIONS
        for field in fields(getattr(config, f"{section.capitalize()}Config"))
    }
    assert set(RENAMED) <= names
    assert not set(RENAMED.values()) & names


def test_version_1_gets_its_own_names_and_values():
    old = in_version_1(settings_of("authors", epochs=1))
    assert old["data"]["repeats"] == old["data"]["split"] == "last"
    assert old["pretrain"]["rows"] == "prefix"
    assert not set(RENAMED) & {name for values in old.values() for name in values}


def test_the_smallest_difference_is_seen():
    numbers = {"stage": {"records": [{"loss": 0.1, "parts": {"nip": 0.2}}], "weights": {"a": "7f"}}}
    assert all(row["same"] for row in compare(numbers, copy.deepcopy(numbers)))
    for wrong in (0.1 + 2**-56, float("nan")):
        other = copy.deepcopy(numbers)
        other["stage"]["records"][0]["loss"] = wrong
        assert [row["same"] for row in compare(numbers, other)] == [False, True]
    shorter = copy.deepcopy(numbers)
    del shorter["stage"]["weights"]["a"]
    assert [row["same"] for row in compare(numbers, shorter)] == [True, False]


def test_a_renamed_weight_is_no_difference():
    old, new = {"s": {"weights": {"a": "7f"}}}, {"s": {"weights": {"b": "7f"}}}
    assert compare(old, new)[0]["same"]
