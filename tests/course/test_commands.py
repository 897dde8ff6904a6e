"""Commands called from a notebook: what they print is returned, what they tell is not red."""

import json

import pytest
from course import command


def test_a_command_returns_what_it_prints_and_tells_the_rest(
    sample_dataset, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("MSM4SR_STATIC", raising=False)
    assert "torch" in json.loads(command("doctor", "--json"))
    seen = capsys.readouterr()
    assert seen.err == ""  # a notebook would show it in red
    with pytest.raises(RuntimeError, match="msm4sr recommend ended with code 2"):
        command("recommend", sample_dataset, "--model", tmp_path, "--user", "nobody")
    assert "no trained model in this folder" in capsys.readouterr().out


def test_a_stored_notebook_keeps_no_progress(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    with pytest.raises(RuntimeError, match=r"ended with code 2\. .*no trained model"):
        command("recommend", tmp_path, "--model", tmp_path, "--user", "nobody")
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("", "")
