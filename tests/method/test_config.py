"""Every setting has a meaning, a source and a range; settings that contradict themselves."""

import dataclasses
import math
import re

import pytest

from msm4sr_lite.config import Config, PretrainConfig, TrainConfig, UserError
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.settings import fields_by_name


def test_every_setting_has_a_meaning_and_a_source():
    for part in dataclasses.fields(Config):
        for field in dataclasses.fields(getattr(Config(), part.name)):
            assert field.metadata["meaning"], field.name
            assert field.metadata["source"] in {"abstract", "notes", "code", "ours"}, field.name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature must be a number >= 0.001 and <= 1000; got 0.0"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1 and <= 131072; got 0"),
        ({"clip_norm": -1}, "clip_norm must be a number >= 0 and <= 1e30; got -1"),
        ({"lr": math.nan}, "lr must be a number >= 1e-9 and <= 10; got nan"),
        ({"lr": math.inf}, "lr must be a number >= 1e-9 and <= 10; got inf"),
        ({"epochs": -1}, "epochs must be an integer >= 0 and <= 1000000; got -1"),
        ({"epochs": 2.5}, "epochs must be an integer >= 0 and <= 1000000; got 2.5"),
        ({"epochs": True}, "epochs must be an integer >= 0 and <= 1000000; got True"),
        (
            {"precision": "float16"},
            "precision must be one of float32, bfloat16; got 'float16'; did you mean 'bfloat16'?",
        ),
        ({"prefix_augmentation": 1}, "prefix_augmentation must be true or false; got 1"),
        ({"valid_users": -1}, "valid_users must be an integer >= 0 and <= 1000000000; got -1"),
    ],
)
def test_a_training_setting_out_of_range_is_refused_with_its_range(wrong, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        TrainConfig(**wrong)


def test_the_presets_and_every_setting_are_listed():
    names = [field.name for field in fields_by_name(Config).values()]
    assert len(names) == len(set(names)) == 77
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
