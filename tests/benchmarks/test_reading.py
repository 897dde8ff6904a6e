"""The benchmark of reading writes a dataset and measures a process that reads it."""

import json
import sys

import pytest

from benchmarks import reading


@pytest.mark.parametrize("options", [["--check"], ["--kind", "parquet", "--dates"]])
def test_it_reads_what_it_wrote(options, monkeypatch, capsys):
    sizes = ["--interactions", "2600", "--items", "50"]
    monkeypatch.setattr(sys, "argv", ["reading", *sizes, *options])
    monkeypatch.setattr(reading, "BLOCK", 1000)
    reading.main()
    found = json.loads(capsys.readouterr().out)
    assert found["interactions"] > 1000
    assert found["seconds"] > 0
    assert found["peak_mb"] > 10
