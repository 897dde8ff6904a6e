"""``msm4sr convert``: its arguments, and what it prints."""

import json

import pytest
from published_files import amazon_2018, review

from msm4sr_lite.cli import build_parser, main
from msm4sr_lite.dataset.convert import formats


def test_one_line_says_what_was_written_and_what_was_left_out(tmp_path, capsys):
    source = amazon_2018(tmp_path, [review(), review(item="A9", stars=5), "{"])
    assert main(["convert", str(source), "--out", str(tmp_path / "dataset")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "Amazon reviews 2018, 1 users, 3 items, 2 interactions" in line
    assert "2 items with text, 0 with images" in line
    assert "1 items occur in interactions only" in line
    assert "1 lines skipped, the first: " in line
    assert "rating" not in line


def test_the_summary_as_json(tmp_path, capsys):
    source = amazon_2018(tmp_path, [review(), review("u2", stars=1.0)])
    out = tmp_path / "dataset"
    assert main(["convert", str(source), "--out", str(out), "--min-rating", "2", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["dataset"] == str(out)
    assert (summary["interactions"], summary["below_min_rating"]) == (1, 1)
    assert summary.items() >= json.loads((out / "converted.json").read_text()).items()


def test_an_error_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["convert", str(tmp_path), "--out", str(tmp_path / "dataset")]) == 2
    message = capsys.readouterr().err
    assert "nothing here that can be converted" in message
    assert message.count("\n") == 1


def test_every_format_can_be_named():
    parser = build_parser()
    for name in formats.FORMATS:
        assert parser.parse_args(["convert", "x", "--out", "y", "--from", name]).format == name
    with pytest.raises(SystemExit):
        parser.parse_args(["convert", "x", "--out", "y", "--from", "nonsense"])
