"""JSON files are refused, with the place, if their content has another type."""

import os

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store import schemas
from msm4sr_lite.store.schemas import Access, ItemIds, LogLine, StageRecord, parse_json, read_json

LINE = '{"epoch": 1, "step": 1, "loss": 1.0, "parts": {"nip": 1}, "recall@20": null,'
LINE += ' "best": true, "targets": 3, "seconds": 0.5}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('["a", "b"]', ItemIds),
        (LINE, LogLine),
        ('[{"when": "2024", "more": 1}]', list[Access]),
        ('{"config": {"data": {"n_test": 1}}, "preset": "paper", "other": [1]}', StageRecord),
    ],
)
def test_content_of_the_right_type_is_returned_with_all_its_keys(text, kind, tmp_path):
    (tmp_path / "x.json").write_text(text)
    assert read_json(tmp_path / "x.json", kind) == read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("", ItemIds, "Invalid JSON"),
        ("[1]", ItemIds, "0: Input should be a valid string"),
        ('[""]', ItemIds, "0: String should have at least 1 character"),
        ("{}", ItemIds, "Input should be a valid array"),
        ('{"config": null}', StageRecord, "config: Input should be an object"),
        ('{"config": {"data": 1}}', StageRecord, "config.data: Input should be an object"),
        ('{"config": {}, "item_counts": [1, -1]}', StageRecord, "item_counts.1: "),
        ('{"config": {}, "seed": "1"}', StageRecord, "seed: Input should be a valid integer"),
        (LINE.replace('"best"', '"worst"'), LogLine, "best: Field required"),
        (LINE.replace('"best"', '"x": 1, "best"'), LogLine, "x: Extra inputs are not permitted"),
        ("[" * 100_000, list, "Invalid JSON: recursion limit"),
        ('{"a": "\\ud800"}', dict, "Invalid JSON"),
    ],
)
def test_other_content_is_one_line_with_the_place(text, kind, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        parse_json(text, kind)
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=rf"x.json: cannot be read \({reason}.*; start") as error:
        read_json(tmp_path / "x.json", kind, "start again")
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, which Windows lacks")
def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(UserError, match=r"x.json: not a file"):
        read_json(tmp_path / "x.json")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "LARGEST", 10)
    (tmp_path / "x.json").write_text('["' + "a" * 6 + '"]')
    assert read_json(tmp_path / "x.json") == ["aaaaaa"]
    (tmp_path / "x.json").write_text('["' + "a" * 7 + '"]')
    with pytest.raises(UserError, match=r"x.json: cannot be read \(larger than 10 bytes\)"):
        read_json(tmp_path / "x.json")
