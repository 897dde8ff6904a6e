"""``msm4sr convert``: its arguments, and what it prints."""

import json

import pytest
from published_files import amazon_2018, review

from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.dataset.convert import FORMATS


def test_one_line_says_what_was_written_and_what_was_left_out(tmp_path, msm4sr):
    source = amazon_2018(tmp_path, [review(), review(item="A9", stars=5), "{"])
    code, out, err = msm4sr("convert", source, "--out", tmp_path / "dataset")
    assert code == 0, err
    (line,) = out.splitlines()
    assert "Amazon reviews 2018, 1 users, 3 items, 2 interactions" in line
    assert "2 items with text, 0 with images" in line
    assert "1 items occur in interactions only" in line
    assert "1 lines skipped, the first: " in line
    assert "rating" not in line


def test_the_summary_as_json(tmp_path, json_of):
    source = amazon_2018(tmp_path, [review(), review("u2", stars=1.0)])
    out = tmp_path / "dataset"
    summary = json_of("convert", source, "--out", out, "--min-rating", "2")
    assert summary["dataset"] == str(out)
    assert (summary["interactions"], summary["below_min_rating"]) == (1, 1)
    assert summary.items() >= json.loads((out / "converted.json").read_text()).items()


def test_the_result_is_a_dataset(tmp_path, msm4sr, json_of):
    source = amazon_2018(tmp_path, [review(), review("u2")])
    assert msm4sr("convert", source, "--out", tmp_path / "dataset")[0] == 0
    assert json_of("check", tmp_path / "dataset")["users"] == 2


def test_an_error_is_one_line(tmp_path, refused):
    message = "nothing here that can be converted"
    assert message in refused("convert", tmp_path, "--out", tmp_path / "dataset")


def test_an_existing_folder_is_replaced_only_by_force(tmp_path, msm4sr, refused):
    source, out = amazon_2018(tmp_path, [review()]), tmp_path / "dataset"
    out.mkdir()
    (out / "notes.txt").write_text("keep me")
    assert str(out) in refused("convert", source, "--out", out)
    assert (out / "notes.txt").exists()
    assert msm4sr("convert", source, "--out", out, "--force")[0] == 0
    assert not (out / "notes.txt").exists()


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_can_be_named(name):
    args = build_parser().parse_args(["convert", "x", "--out", "y", "--from", name])
    assert args.format == name


def test_no_other_format_can_be_named(refused):
    message = "unknown choice 'nonsense'; choose from amazon-2018"
    assert message in refused("convert", "x", "--out", "y", "--from", "nonsense")
