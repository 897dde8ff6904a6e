"""On a base installation every command works, or names the missing package in one line."""

import json
import os
import subprocess
import sys

import pytest
from small_commands import QUICK

BEYOND_BASE = ("IPython", "ipywidgets", "joblib", "jupytext", "matplotlib", "nbformat", "pyarrow")
BEYOND_BASE += ("seaborn", "sklearn", "umap")

# Runs commands in a process in which some packages cannot be imported.
SCRIPT = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
hidden, commands = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(hidden))
from msm4sr_lite.cli import main
results = []
for words in commands:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""


def run_all(commands):
    """Run commands without the packages of the extras; return their code, stdout and stderr."""
    given = json.dumps([BEYOND_BASE, [[str(word) for word in words] for words in commands]])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, given],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.thorough
def test_commands_work_on_a_base_installation(toy, tmp_path):
    features, out = ["--features", toy.data / "features"], tmp_path / "run"
    study = [*features, "--out", tmp_path / "study", "--quick"]
    commands = [
        ["run", toy.data, "--out", out, *features, *QUICK],
        ["check", toy.data],
        ["evaluate", toy.data, "--model", out],
        ["recommend", toy.data, "--model", out, "--user", "u1", "--why"],
        ["recommend", toy.data, "--model", out, "--all-users", tmp_path / "all.csv"],
        ["features", toy.data, "--out", toy.data, "--report"],
        ["study", "main", toy.data, *study, "--models", "popularity,item_knn,tfidf_knn"],
    ]
    results = run_all(commands)
    for code, _, err in results:
        assert code == 0, err
    skipped = 'tfidf_knn skipped: needs scikit-learn (pip install "msm4sr_lite[course]")'
    assert skipped in results[-1][2]


@pytest.mark.thorough
def test_a_missing_package_is_named_in_one_line(toy, tmp_path):
    for name in ("interactions", "items"):
        (tmp_path / f"{name}.parquet").write_bytes(b"PAR1")
    study = ["study", "main", toy.data, "--out", tmp_path / "study", "--quick", "--jobs", "2"]
    study += ["--features", toy.data / "features", "--models", "popularity"]
    tfidf = ["--baselines", "popularity,tfidf_knn"]
    baseline = 'TF-IDF needs scikit-learn: pip install "msm4sr_lite[course]"'
    expected = [
        (["plot", toy.run], "plot needs matplotlib: pip install 'msm4sr_lite[course]'"),
        (study, 'jobs above 1 need joblib: pip install "msm4sr_lite[course]"'),
        (["run", toy.data, "--out", tmp_path / "x", *tfidf], baseline),
        (["evaluate", toy.data, "--model", toy.run, *tfidf], baseline),
        (
            ["recommend", toy.data, "--model", toy.run, "--all-users", tmp_path / "a.parquet"],
            ".parquet needs pyarrow",
        ),
        (["check", tmp_path], 'pip install "msm4sr_lite[parquet]"'),
    ]
    results = run_all([words for words, _ in expected])
    for (words, message), (code, out, err) in zip(expected, results, strict=True):
        assert code == 2, words
        assert out == ""
        last = err.splitlines()[-1]
        assert last.startswith(f"msm4sr {words[0]}: ")
        assert message in last
        assert "Traceback" not in err
    assert not (tmp_path / "x").exists()
