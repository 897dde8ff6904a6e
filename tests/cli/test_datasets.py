"""``msm4sr check`` and ``convert``: their arguments, and what they print."""

import json

import pytest
from published_files import amazon_2018, review
from small_commands import QUICK, dataset_with_features
from toys import toy_dataset

from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.dataset.convert import FORMATS


def test_one_line_says_what_was_written_and_what_was_left_out(tmp_path, msm4sr):
    source = amazon_2018(tmp_path, [review(), review(item="A9", stars=5), "{"])
    code, out, err = msm4sr("convert", source, "--out", tmp_path / "dataset")
    assert code == 0, err
    (line,) = out.splitlines()
    assert "Amazon reviews 2018; users: 1, items: 3, interactions: 2" in line
    assert "items with text: 2, with images: 0" in line
    assert "items that occur in interactions only: 1" in line
    assert "lines skipped: 1, the first: " in line
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


def test_check_reports_images(tmp_path, msm4sr, json_of):
    (tmp_path / "items.jsonl").write_text('{"item_id": "a", "image": "a\\u001b[31m.jpg"}\n')
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp\nu,a,1\n")
    code, out, _ = msm4sr("check", tmp_path)
    assert code == 0
    assert "  images        1 checked\n    1: No such file or directory: a\ufffd[31m.jpg\n" in out
    problem = {"problem": "No such file or directory", "images": 1, "examples": ["a\x1b[31m.jpg"]}
    assert json_of("check", tmp_path)["images"] == {"checked": 1, "problems": [problem]}


def test_an_error_is_one_line(tmp_path, refused):
    message = "no files of a known format"
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


# ----------------------------------------------------------------------------- check


def test_the_summary_as_text_and_as_json(tmp_path, msm4sr, json_of):
    data = toy_dataset(tmp_path / "toys")
    code, out, err = msm4sr("check", data)
    assert (code, err) == (0, "")
    assert out.startswith(
        "toys\n  users         8; median of their interactions: 6, longest history: 6\n"
        "  items         12;"
    )
    found = json_of("check", data)
    assert (found["users"], found["items"], found["interactions"]) == (8, 12, 48)


def test_unlisted_items_are_refused_or_dropped_with_a_note(tmp_path, refused, msm4sr):
    data = toy_dataset(tmp_path / "toys")
    with (data / "interactions.csv").open("a") as file:
        file.write("u1,ghost,9\n")
    assert "item 'ghost' is not in" in refused("check", data)
    code, out, err = msm4sr("check", data, "--drop-unknown")
    assert (code, err) == (0, "")
    assert "note: interactions with items not in" in out
    assert "items.jsonl: 1, dropped" in out


def test_a_folder_that_is_none_and_an_unknown_domain_are_refused(tmp_path, refused):
    assert "nowhere: no such folder" in refused("check", tmp_path / "nowhere")
    assert "domain" in refused("check", toy_dataset(tmp_path / "toys"), "--domain", "z")


def test_control_characters_do_not_reach_the_terminal(tmp_path, msm4sr):
    data = toy_dataset(tmp_path / "to\x1b[31mys")
    assert "\x1b" not in msm4sr("check", data)[1]


def test_a_run_folder_is_checked_part_by_part(msm4sr, tmp_path):
    folder = dataset_with_features(tmp_path / "data")
    code, _, err = msm4sr("run", folder, "--out", tmp_path / "run", *QUICK, "--baselines", "")
    assert code == 0, err
    code, out, _ = msm4sr("check", tmp_path / "run")
    assert code == 0
    assert {line.split()[1] for line in out.splitlines()} == {"ok"}
    (tmp_path / "run" / "finetuned" / "items.json").write_text("[]")
    code, out, _ = msm4sr("check", tmp_path / "run", "--json")
    assert code == 2
    assert "has changed since it was written" in json.loads(out)["parts"]["finetuned"]
    assert msm4sr("check", tmp_path / "nowhere")[0] == 2
