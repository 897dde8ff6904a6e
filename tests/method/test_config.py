"""Settings that contradict themselves, and writing whole or not at all."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest

from msm4sr_lite.config import (
    PRESETS,
    Config,
    PretrainConfig,
    TrainConfig,
    UserError,
    with_settings,
)
from msm4sr_lite.settings import fields_by_name, find_field
from msm4sr_lite.store.files import whole_folder, write_json, write_text


def test_every_setting_has_a_meaning_and_a_source():
    for part in dataclasses.fields(Config):
        for field in dataclasses.fields(getattr(Config(), part.name)):
            assert field.metadata["meaning"], field.name
            assert field.metadata["source"] in {"abstract", "notes", "code", "ours"}, field.name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature must be a number > 0; got 0.0"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1; got 0"),
        ({"clip_norm": 0}, "clip_norm must be a number > 0; got 0"),
        ({"lr": math.nan}, "lr must be a number > 0; got nan"),
        ({"lr": math.inf}, "lr must be a number > 0; got inf"),
        ({"epochs": -1}, "epochs must be an integer >= 0; got -1"),
        ({"epochs": 2.5}, "epochs must be an integer >= 0; got 2.5"),
        ({"epochs": True}, "epochs must be an integer >= 0; got True"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16; got 'float16'"),
        ({"prefix_augmentation": 1}, "prefix_augmentation must be true or false; got 1"),
        ({"valid_users": -1}, "valid_users must be an integer >= 0; got -1"),
    ],
)
def test_a_training_setting_out_of_range_is_refused_with_its_range(wrong, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        TrainConfig(**wrong)


@pytest.mark.parametrize("field", fields_by_name(Config).values(), ids=lambda field: field.name)
def test_every_setting_refuses_the_wrong_type_and_what_lies_outside_its_range(field):
    section, name = field.name.split(".")
    kind = type(getattr(Config(), section))
    values = [[], None, math.nan] if field.type is not str else [[], None, 3]
    values += [-2] if ">" in field.limits else []
    values += [99.0] if "<" in field.limits else []
    values += ["never"] if field.choices else []
    for value in values:
        with pytest.raises(UserError, match=rf"^{name} must be .*; got"):
            kind(**{name: value})


def test_numbers_of_other_types_become_those_of_the_field():
    config = PretrainConfig(epochs=np.int64(3), lr=1)
    assert (type(config.epochs), type(config.lr)) == (int, float)


# ------------------------------------------------------------- settings by name


def test_settings_of_one_section_are_replaced_together():
    names = {"pretrain.drop_keeps": "last", "pretrain__prefix_augmentation": True}
    config = with_settings(Config(), {**names, "model.dim": 32})
    assert config.pretrain == PretrainConfig(drop_keeps="last", prefix_augmentation=True)
    assert config.model.dim == 32
    assert config.finetune == Config().finetune


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretrain.lrr": 1}, "unknown setting 'pretrain.lrr'; did you mean 'pretrain.lr'?"),
        ({"pretrian.lr": 1}, "unknown setting 'pretrian.lr'; did you mean 'pretrain.lr'?"),
        ({"experts": 1}, "unknown setting 'experts'; did you mean 'model.experts'?"),
        ({"zz": 1}, "unknown setting 'zz'; sections are data, features, model, pretrain, finetune"),
        ({"pretrain.lr": "fast"}, "pretrain.lr must be a number > 0; got 'fast'"),
        ({"model.dim": 65}, "model.dim must be a multiple of heads; got 65 and 2"),
    ],
)
def test_a_wrong_name_or_value_is_one_line_with_the_nearest_match(settings, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        with_settings(Config(), settings)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("pretrain.epochs", "3", 3),
        ("pretrain.lr", "1e-3", 1e-3),
        ("finetune.use_ids", "No", False),
        ("data.split", "time", "time"),
        ("features.prompt", "a {}", "a {}"),
    ],
)
def test_text_from_the_command_line_is_converted(name, text, value):
    assert find_field(Config, name).parse(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pretrain.epochs", "2.5"),
        ("finetune.use_ids", "maybe"),
        ("data.split", "times"),
        ("model.dim", "0"),
    ],
)
def test_text_that_is_no_value_is_refused(name, text):
    with pytest.raises(UserError, match=rf"^{name} must be .*; got '?{text}'?$"):
        find_field(Config, name).parse(text)


def test_the_presets_and_every_setting_are_listed():
    names = [field.name for field in fields_by_name(Config).values()]
    assert len(names) == len(set(names)) == 70
    assert {field.source for field in fields_by_name(Config).values()} <= {
        "abstract",
        "notes",
        "code",
        "ours",
    }


def test_the_last_item_is_protected_only_with_prefix_augmentation():
    with pytest.raises(UserError, match=r"drop_keeps=last needs prefix_augmentation=true"):
        PretrainConfig(drop_keeps="last")
    assert PRESETS["authors"].pretrain.drop_keeps == "last"


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().model.dim = 3


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "a.json"
    write_json(target, {"ä": 1})
    assert target.read_bytes() == '{\n  "ä": 1\n}\n'.encode()

    def fail(self, other):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="disk full"):
        write_text(target, "new")
    assert target.read_bytes().startswith(b"{")
    assert [p.name for p in target.parent.iterdir()] == ["a.json"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_folder(target) as draft:
        (draft / "x").write_text("half" + "way" * (1 // 0))
    assert (target / "x").read_text() == "old"
    with whole_folder(target) as draft:
        (draft / "y").write_text("new")
    assert [p.name for p in target.iterdir()] == ["y"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_old_folder_comes_back_if_the_last_step_fails(tmp_path, monkeypatch):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    rename = Path.rename

    def fail(self, other):
        if self.name.endswith(".draft"):
            raise OSError("held open by another program")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError, match="held open"), whole_folder(target) as draft:
        (draft / "x").write_text("new")
    assert (target / "x").read_text() == "old"
