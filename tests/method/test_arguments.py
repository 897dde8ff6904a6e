"""What each setting and argument accepts and refuses, generated from its declaration."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from small_dataset import dataset, feature_table, fitted

from msm4sr_lite import MSM4SR, fit_baseline
from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.baselines import BaselineData
from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.cli.parser import given_settings
from msm4sr_lite.config import FROM_DATA, Config, UserError, with_settings
from msm4sr_lite.dataset.convert import convert_dataset
from msm4sr_lite.features.clip.train_clip import train_clip
from msm4sr_lite.features.clip.training import ClipConfig
from msm4sr_lite.features.stages import compute_keywords
from msm4sr_lite.pipeline.budget import check_budget
from msm4sr_lite.settings import COMPARE, fields_by_name
from msm4sr_lite.study.config import StudyConfig

CONFIGS = {"run": Config, "study": StudyConfig, "train-clip": ClipConfig}
FIELDS = [
    pytest.param(command, field, id=f"{command} {field.name}")
    for command, config in CONFIGS.items()
    for field in fields_by_name(config).values()
]
# What a value needs in other settings of its section.
NEEDS = {
    "n_test": {"min_user_interactions": 10**9},
    "min_user_interactions": {"split": "time"},
    "split": {},
    "heads": {"dim": 1000},
    "dim": {"heads": 1},
    "prompt": {},
    "whitening_dim": {"whitening": "pca"},
    "drop_keeps": {"prefix_augmentation": True},
    "nip_weight": {"cmcl_weight": 1},
    "test_share": {"split": "time"},
    "valid_from": {"split": "time"},
    "test_from": {"split": "time"},
}
NO_NUMBER = [math.nan, math.inf, -math.inf, None, "text", "", True, np.True_, [1], 1j, b"1"]


def inside_and_outside(field):
    """Return the values just inside the limits of a number, and those just outside."""
    whole, inside, outside = field.type is int, [], []
    for limit in filter(None, field.limits.split(" and ")):
        sign, edge = limit.split()
        edge = int(edge) if whole else float(edge)
        low = edge - 1 if whole else math.nextafter(edge, -math.inf)
        high = edge + 1 if whole else math.nextafter(edge, math.inf)
        near = {">=": (edge, low), "<=": (edge, high), ">": (high, edge), "<": (low, edge)}[sign]
        inside.append(near[0])
        outside.append(near[1])
    return inside, outside


def values(field):
    """Return values that a setting accepts, and values that it refuses."""
    if field.choices:
        return [*field.choices], [None, 3, "", "nonsense", True, [field.choices[0]]]
    if field.type is bool:
        return [True, False, np.True_], [None, 1, 0, "true", math.nan, [True], np.array(True)]
    if field.type is str:
        return [field.default or "x"], [
            None,
            3,
            True,
            ["x"],
            "two\nlines",
            "lone \ud800",
            "\x1b[1m",
        ]
    inside, outside = inside_and_outside(field)
    if field.type is int:
        accepted = [*inside, np.int64(inside[0]), np.int32(inside[0])]
        return accepted, [*outside, *NO_NUMBER, 10**30, -(10**30), 10**5000, 2.5, inside[0] + 0.0]
    accepted = [*inside, np.float64(inside[-1])]
    return accepted, [*outside, *NO_NUMBER, 10**31, 10**400, 10**5000]


PARSER = build_parser()


def set_by_flag(command, setting):
    """Return the settings of a command with one flag ``--set``."""
    words = [command, "main", "x"] if command == "study" else [command, "x", "--out", "y"]
    return given_settings(PARSER.parse_args([*words, "--set", setting]))


def one_line(refusal):
    text = str(refusal.value)
    assert len(text) < 500
    assert text.isprintable(), text
    return text


@pytest.mark.parametrize(("command", "field"), FIELDS)
def test_a_setting_accepts_what_its_declaration_allows(command, field):
    section, name = field.name.split(".")
    others = {f"{section}.{other}": value for other, value in NEEDS.get(name, {}).items()}
    start = with_settings(CONFIGS[command](), others)
    for value in values(field)[0]:
        changed = with_settings(start, {field.name: value})
        found = getattr(getattr(changed, section), name)
        assert found == value
        assert type(found) is field.type
        if command == "run" and field.name not in FROM_DATA:
            given = {key.replace(".", "__"): v for key, v in {**others, field.name: value}.items()}
            model = MSM4SR(**given)
            assert getattr(getattr(model.config, section), name) == value
        if field.name not in FROM_DATA:
            assert set_by_flag(command, f"{field.name}={value}") == {
                field.name.replace(".", "__"): value
            }


@pytest.mark.parametrize(("command", "field"), FIELDS)
def test_a_setting_refuses_everything_else_in_one_line(command, field):
    message = rf"^{field.name} must be {re.escape(field.allowed)}; got "
    for value in values(field)[1]:
        with pytest.raises(UserError, match=message) as refusal:
            with_settings(CONFIGS[command](), {field.name: value})
        one_line(refusal)
        if field.name in FROM_DATA:
            continue
        if command == "run":
            with pytest.raises(UserError, match=message):
                MSM4SR(**{field.name.replace(".", "__"): value})
        text = str(value) if not (isinstance(value, int) and abs(value) > 10**4000) else "9" * 5000
        if field.type in (int, float) and isinstance(value, (int, float)) and value is not True:
            with pytest.raises(UserError, match=message) as refusal:
                set_by_flag(command, f"{field.name}={text}")
            one_line(refusal)


@pytest.mark.parametrize("field", fields_by_name(Config).values(), ids=lambda field: field.name)
def test_every_number_has_a_lower_and_an_upper_limit(field):
    if field.type in (int, float):
        assert [limit.split()[0][0] for limit in field.limits.split(" and ")] == [">", "<"]
        assert {limit.split()[0] for limit in field.limits.split(" and ")} <= COMPARE.keys()


@pytest.mark.parametrize(
    "field", [f for f in fields_by_name(Config).values() if f.choices], ids=str
)
def test_a_misspelt_choice_is_answered_with_the_nearest(field):
    for choice in field.choices:
        for wrong in (choice.replace("_", "-"), choice.title(), f"{choice}x"):
            if wrong != choice:
                with pytest.raises(UserError, match=rf"; did you mean '{choice}'\?$"):
                    field.check(wrong)
                with pytest.raises(UserError, match=rf"; did you mean '{choice}'\?$"):
                    field.parse(wrong)


# ---------------------------------------------------------------- settings together


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"finetune.targets_per_sequence": 2, "finetune.prefix_augmentation": True},
            "finetune.targets_per_sequence has no effect with prefix_augmentation=true",
        ),
        ({"pretrain.nip_weight": 0, "pretrain.cmcl_weight": 0}, "nothing would be learned"),
        ({"pretrain.nip_weight": 0, "model.modalities": "text"}, "nothing would be learned"),
        (
            {"model.dim": 8192, "model.layers": 100},
            "model.dim=8192, layers=100, ffn_dim=256 and experts=8 make a model of 27 billion weig",
        ),
    ],
)
def test_settings_that_cancel_each_other_are_refused(settings, message):
    with pytest.raises(UserError, match=message) as refusal:
        with_settings(Config(), settings)
    one_line(refusal)


def test_a_loss_of_weight_zero_is_fine_where_nothing_is_pre_trained():
    settings = {"pretrain.nip_weight": 0, "pretrain.epochs": 0, "model.modalities": "text"}
    assert with_settings(Config(), settings).pretrain.nip_weight == 0


@pytest.mark.parametrize("name", ["test_share", "valid_from", "test_from"])
def test_settings_of_another_split_are_refused(name):
    settings = {f"data__{name}": 0.2 if name == "test_share" else "2024-01-01"}
    message = rf"data.{name}=.* has no effect with data.split=leave_one_out; .*data.split=time"
    with pytest.raises(UserError, match=message):
        MSM4SR(**settings).fit(dataset(), features=feature_table())
    with pytest.raises(UserError, match=message):
        StudyConfig(data=MSM4SR(**settings).config.data)
    timed = MSM4SR(**settings, data__split="time").config.data
    assert StudyConfig(data=timed).data == timed


def test_a_section_of_another_kind_is_refused():
    with pytest.raises(UserError, match=r"^model must be a ModelConfig; got \{'dim': 3\}$"):
        Config(model={"dim": 3})


# ---------------------------------------------------------------- arguments


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A fitted model, a folder that does not exist, and the data of a baseline."""
    model = fitted()
    return model, tmp_path_factory.mktemp("x") / "none", BaselineData(model._sequences)


def call(name, value, model, folder, inputs):
    """Hand one argument to the function or class that has it."""
    given = {name: value}
    if name in ("seed", "preset", "device", "ensemble", "text_encoder", "clip", "dictionary"):
        return MSM4SR(**given)
    if name == "k":
        return model.recommend(["user1"], **given)
    if name == "keywords":
        return model.explain("user1", "item2", **given)
    if name in ("part", "filter_seen"):
        return model.evaluate(**given)
    if name == "on_unknown_user":
        return model.recommend(["user1"], **given)
    if name == "time_budget":
        return check_budget(value, "leave_one_out")
    if name == "workers":
        return compute_keywords(model._data, folder, **given)
    if name in ("n_seeds", "jobs"):
        return StudyConfig(**given)
    if name == "n_test":
        return train_clip(folder, folder, **given)
    if name == "min_rating":
        return convert_dataset(folder, folder, **given)
    of = {"decay": "item_knn", "steps": "sequential_rules", "weight": "item_knn+tfidf"}
    of |= {"shrinkage": "item_knn", "l2": "ease"}
    if name == "shrinkage":
        given["cosine"] = True
    return fit_baseline(of[name], replace(inputs, texts=["", *["a word"] * 30]), **given)


# None stands for the usual value of these.
OPTIONAL = ("ensemble", "text_encoder", "clip", "workers", "min_rating", "time_budget")


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_refuses_what_its_declaration_does_not_allow(name, small):
    field = ARGUMENTS[name]
    for value in values(field)[1]:
        if value is None and name in OPTIONAL:
            continue
        with pytest.raises(UserError, match=rf"^{name} must be ") as refusal:
            call(name, value, *small)
        one_line(refusal)


@pytest.mark.parametrize(
    "name",
    [
        "seed",
        "preset",
        "ensemble",
        "k",
        "part",
        "filter_seen",
        "on_unknown_user",
        "time_budget",
        "jobs",
    ],
)
def test_an_argument_accepts_what_its_declaration_allows(name, small):
    for value in values(ARGUMENTS[name])[0]:
        call(name, value, *small)
