"""One line with the nearest name for every mistake in the arguments, and settings."""

import pytest

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.cli.commands import COMMANDS, build_parser
from msm4sr_lite.cli.parser import given_settings
from msm4sr_lite.config import FROM_DATA, Config, UserError
from msm4sr_lite.settings import fields_by_name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "x", "--ouut", "y"], "unknown flag --ouut; did you mean '--out'?"),
        (["run", "x", "--featrues=z", "--out", "y"], "unknown flag --featrues; did you mean '--fe"),
        (["evaluate", "x", "--model", "y", "--seed", "5"], "unknown flag --seed (see"),
        (
            ["pretrain", "x", "--out", "y", "--lr", "1e-3"],
            "unknown flag --lr; it is a setting: --set pretrain.lr=VALUE",
        ),
        (
            ["run", "x", "--out", "y", "--epochs", "3"],
            "it is a setting: --set pretrain.epochs=VALUE or finetune.epochs=VALUE",
        ),
        (
            ["run", "x", "--out", "y", "--pretrain-epochs", "3"],
            "it is a setting: --set pretrain.epochs=VALUE (see",
        ),
        (["study", "main", "x", "--patience=3"], "budget.patience=VALUE"),
        (["evaluate", "x", "--model", "y", "--part", "tst"], "unknown choice 'tst'; did you mean"),
        (["run", "x", "--out", "y", "--preset", "tunde"], "did you mean 'tuned'?"),
        (["run", "x", "--out", "y", "--device", "?"], "choose from auto, cpu, cuda"),
        (["study", "mian", "x"], "argument PART: unknown choice 'mian'; did you mean 'main'?"),
        (["convert", "x", "--out", "y", "--from", "amazon"], "did you mean 'amazon-20"),
        (["run", "x"], "the following arguments are required: --out (see `msm4sr run --help`)"),
        (["recommend", "x", "--model", "y"], "one of the arguments --user --items --all-users"),
        (
            ["recommend", "x", "--model", "y", "--user", "a", "--items", "b"],
            "argument --items: not allowed with argument --user",
        ),
        (
            ["recommend", "x", "--model", "y", "--user", "a", "-k", "x"],
            "argument -k: k must be an integer >= 1 and",
        ),
        (
            ["run", "x", "--out", "y", "--seed", "-1"],
            "seed must be an integer >= 0 and <= 4294967295; got -1",
        ),
        (["run", "x", "--out", "y", "--seed", "1.5"], "got '1.5'"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(refused, words, message):
    assert message in refused(*words)


def test_words_after_two_dashes_are_no_flags(refused):
    assert "--data: no such folder" in refused("check", "--", "--data")


def test_flags_are_not_abbreviated(refused):
    assert "unknown flag --feat; did you mean '--features'?" in refused(
        "run", "x", "--out", "y", "--feat", "z"
    )


# ---------------------------------------------------------------------- settings

SECTIONS = {
    "run": {"data", "features", "model", "pretrain", "finetune"},
    "pretrain": {"data", "model", "pretrain"},
    "finetune": {"data", "finetune"},
    "keywords": {"features"},
    "features": {"features"},
}


def parsed(command, *settings):
    words = [command, "x", "--out", "y"]
    for setting in settings:
        words += ["--set", setting]
    return build_parser().parse_args(words)


@pytest.mark.parametrize("field", fields_by_name(Config).values(), ids=lambda field: field.name)
def test_every_setting_can_be_set(field):
    value = field.choices[-1] if field.choices else field.default
    for command, sections in SECTIONS.items():
        if field.name.partition(".")[0] in sections:
            assert given_settings(parsed(command, f"{field.name}={value}")) == {
                field.name.replace(".", "__"): value
            }


def test_settings_become_arguments_of_the_estimator():
    args = parsed("run", "pretrain.lr=1e-3", "finetune.use_ids = no", "pretrain.lr=2e-3")
    assert given_settings(args) == {"pretrain__lr": 0.002, "finetune__use_ids": False}


@pytest.mark.parametrize(
    ("command", "setting", "message"),
    [
        ("run", "pretrain.epoch=3", "unknown setting 'pretrain.epoch'; did you mean 'pretrain.epo"),
        ("run", "lr=1", "unknown setting 'lr'; did you mean"),
        ("run", "pretrain.lr", "--set pretrain.lr: write NAME=VALUE; --help-all lists the names"),
        ("run", "pretrain.lr=fast", "pretrain.lr must be a number >= 1e-9 and <= 10; got 'fast'"),
        ("run", "features.pooling=mena", "must be one of auto, mean, cls; got 'mena'"),
        ("pretrain", "finetune.lr=1", "has no effect in `msm4sr pretrain`"),
        ("features", "pretrain.lr=1", "which only has settings of features"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error(command, setting, message):
    with pytest.raises(UserError) as error:
        given_settings(parsed(command, setting))
    assert message in str(error.value)


@pytest.mark.parametrize("command", [*SECTIONS, "study", "train-clip"])
def test_help_all_lists_every_setting_of_the_command(command, msm4sr):
    code, out, err = msm4sr(command, "--help-all")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: msm4sr {command}")
    for field in fields_by_name(Config).values():
        entry = f"\n  {field.name}={field.default}\n      {field.meaning}; {field.allowed}\n"
        section = field.name.partition(".")[0]
        wanted = section in SECTIONS.get(command, {"data"} if command == "study" else ())
        assert (entry in out) == (wanted and field.name not in FROM_DATA)


def test_help_all_lists_settings_of_other_configurations(msm4sr):
    assert "\n  budget.patience=15\n" in msm4sr("study", "--help-all")[1]
    assert "\n  clip.epochs=60\n" in msm4sr("train-clip", "--help-all")[1]


# ---------------------------------------------------------------------- numbers

FLAGS = {"--seed": "seed", "-k": "k", "--seeds": "n_seeds", "--jobs": "jobs"}
FLAGS |= {"--n-test": "n_test", "--min-rating": "min_rating", "--workers": "workers"}


@pytest.mark.parametrize(
    ("command", "flag"),
    [(name, flag) for name, one in COMMANDS.items() for flag in FLAGS if flag in one.flags.split()],
)
def test_a_flag_for_a_number_has_the_same_range(command, flag, refused):
    field = ARGUMENTS[FLAGS[flag]]
    words = [*(["main"] if command == "study" else []), "x", "--out", "y"]
    words = ["x", "--model", "y", "--user", "a"] if command == "recommend" else words
    outside = [text.split()[1] for text in field.limits.split(" and ") if text]
    outside = [str(int(edge) + (1 if place else -1)) for place, edge in enumerate(outside)]
    for text in [*outside, "nan", "inf", "1" * 5000, "text", ""]:
        if command == "convert" and text == "1" * 5000:
            continue  # a float that is too large is infinite
        line = refused(command, *words, f"{flag}={text}" if flag != "-k" else f"-k{text or 'x'}")
        assert f"argument {flag}: {field.name} must be {field.allowed}; got" in line
        assert len(line) < 300
