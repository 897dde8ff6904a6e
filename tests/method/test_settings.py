"""Settings by name: checked, replaced together, and read from text."""

import re

import numpy as np
import pytest

from msm4sr_lite.config import (
    Config,
    PretrainConfig,
    UserError,
    with_settings,
)
from msm4sr_lite.settings import find_field, in_one_line


def test_numbers_of_other_types_become_those_of_the_field():
    config = PretrainConfig(epochs=np.int64(3), lr=1)
    assert (type(config.epochs), type(config.lr)) == (int, float)


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
        ({"pretrain.lr": "fast"}, "pretrain.lr must be a number >= 1e-9 and <= 10; got 'fast'"),
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
    with pytest.raises(
        UserError, match=rf"^{name} must be .*; got '?{text}'?(; did you mean 'time'\?)?$"
    ):
        find_field(Config, name).parse(text)


def test_a_wrong_value_is_shown_shortly_whatever_it_is():
    class Unprintable:
        def __repr__(self):
            raise RuntimeError

    for value in ([0] * 5_000_000, "x" * 10**7, 10**5000, Unprintable(), {"a": ["b"] * 99}):
        assert len(in_one_line(value)) <= 64
    assert in_one_line("a\nb") == r"'a\nb'"
