"""A function that runs a command, and a small run to look at."""

import json
from types import SimpleNamespace

import pytest
from small_commands import QUICK, dataset_with_features

from msm4sr_lite.cli import main


@pytest.fixture
def msm4sr(capsys):
    """Return a function that runs a command in this process: exit code, stdout, stderr."""

    def command(*words):
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def json_of(msm4sr):
    """Return a function that runs a command with ``--json`` and returns the one object."""

    def command(*words):
        code, out, err = msm4sr(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return command


@pytest.fixture
def refused(msm4sr):
    """Return a function that expects a refusal: one line on stderr, nothing on stdout, code 2."""

    def command(*words):
        code, out, err = msm4sr(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), (code, out, err)
        assert err.startswith(f"msm4sr {words[0]}: "), err
        return err

    return command


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A dataset with features and a finished run on it; item i0 has no image. Only to be read."""
    folder = tmp_path_factory.mktemp("toy")
    data = dataset_with_features(folder / "dataset", without_image=["i0"])
    options = ["--features", str(data / "features"), *QUICK]
    assert main(["run", str(data), "--out", str(folder / "run"), *options]) == 0
    return SimpleNamespace(data=data, run=folder / "run")
