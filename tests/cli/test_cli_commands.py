"""The table of commands and flags: help that fits a screen and states the defaults."""

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
