"""The benchmarks of feature extraction run on toy sizes and report all their figures."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def measure(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command, "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_memory_is_reported_per_size():
    rows = measure("benchmarks.memory_features", "--sizes", "100,300")["rows"]
    assert [row["items"] for row in rows] == [100, 300]
    assert all(row["after features, MB"] >= row["models loaded, MB"] > 50 for row in rows)
    assert rows[1]["table on disk, MB"] == pytest.approx(300 * 4 * 384 * 2 / 2**20, abs=0.1)


def test_speed_is_compared_with_the_bare_model():
    found = measure("benchmarks.features", "--tiny", "--images", "70", "--repeats", "1")
    rates = found["images/s"]
    assert set(rates) == {"bare", "stage", "open and resize", "stage / bare", "quartiles"}
    share = rates["stage"]["processor"] / rates["bare"]["processor"]
    assert rates["stage / bare"]["processor"] == pytest.approx(share)
