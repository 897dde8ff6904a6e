"""Help that fits a screen, and one line with the nearest name for every mistake."""

import argparse
import re
import subprocess
import sys

import pytest

from msm4sr_lite.cli.commands import COMMANDS, build_parser

HEAVY = {"torch", "transformers", "pandas", "numpy", "matplotlib", "tqdm", "PIL", "scipy"}


def command_parsers():
    (group,) = build_parser()._subparsers._group_actions
    return group.choices


def flags():
    return [
        pytest.param(action, id=f"{name} {(action.option_strings or [action.dest])[-1]}")
        for name, parser in command_parsers().items()
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_one_screen(name, msm4sr, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = msm4sr(*filter(None, [name, "--help"]))
    assert (code, err) == (0, "")
    assert 5 < len(out.splitlines()) <= 40


@pytest.mark.parametrize("action", flags())
def test_help_and_default_agree(action):
    stated = re.search(r"default: ([^;)]*)", action.help % vars(action))
    if action.default not in (None, "", False, [], argparse.SUPPRESS):
        assert stated
        assert stated[1] == str(action.default)


@pytest.mark.parametrize("action", flags())
def test_help_texts_are_short_and_end_without_a_full_stop(action):
    assert not action.help.endswith(".")
    assert len(action.help) <= 180


def test_a_seed_is_asked_for_only_where_it_has_an_effect():
    having = {name for name, p in command_parsers().items() if "--seed" in p._option_string_actions}
    assert having == {"run", "pretrain", "finetune", "train-clip"}


def test_a_parser_is_built_without_heavy_libraries():
    code = "import sys, msm4sr_lite.cli as cli; cli.build_parser().format_help();"
    code += f"print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
        (["recommend", "x", "--model", "y", "--user", "a", "-k", "x"], "argument -k: invalid int"),
        (["run", "x", "--out", "y", "--seed", "-1"], "must be an integer from 0 to 4294967295"),
        (["run", "x", "--out", "y", "--seed", "1.5"], "got '1.5'"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(refused, words, message):
    assert message in refused(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rn", "x"], "unknown choice 'rn'; did you mean 'run'?"),
        (["xyzzy"], "unknown choice 'xyzzy'; choose from check, run, evaluate"),
        ([], "the following arguments are required: COMMAND"),
        (["check", "x", "y"], "unrecognized arguments: y"),
    ],
)
def test_so_is_a_mistake_in_the_command(msm4sr, words, message):
    code, out, err = msm4sr(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_words_after_two_dashes_are_no_flags(refused):
    assert "--data: no such folder" in refused("check", "--", "--data")


def test_flags_are_not_abbreviated(refused):
    assert "unknown flag --feat; did you mean '--features'?" in refused(
        "run", "x", "--out", "y", "--feat", "z"
    )
