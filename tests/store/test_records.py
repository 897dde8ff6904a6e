"""The record of a stage: whether it is finished, and what is said if it cannot be written."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import whole_folder
from msm4sr_lite.store.records import (
    is_finished,
    read_record,
    report_write_errors,
    write_record,
)


def test_a_stage_is_finished_if_it_was_made_from_the_same(tmp_path, capsys):
    folder = tmp_path / "stage"
    assert not is_finished(folder, {"lr": 0.1})
    assert capsys.readouterr().err == ""
    write_record(folder, {"lr": 0.1}, {"images": 3})
    assert read_record(folder)["images"] == 3
    assert is_finished(folder, {"lr": 0.1})
    assert capsys.readouterr().err == "stage: done already\n"
    assert not is_finished(folder, {"lr": 0.2})
    assert capsys.readouterr().err == "stage: the input or a setting has changed; made again\n"


def test_a_manifest_is_a_record_too(tmp_path):
    (tmp_path / "manifest.json").write_text('{"made_from": "x"}')
    assert read_record(tmp_path) == {"made_from": "x"}
    assert read_record(tmp_path / "nowhere") == {}


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(UserError, match=r"record.json: cannot be read"):
        is_finished(tmp_path, {})


def test_a_full_disk_is_one_line_and_leftovers_are_removed(tmp_path):
    left = tmp_path / ".stage.123.draft"
    left.mkdir()
    other = tmp_path / ".other.123.draft"
    other.mkdir()
    message = r"stage: cannot be written \(No space left on device\); make room .*finished work is"

    def write():
        with report_write_errors(tmp_path / "stage"), whole_folder(tmp_path / "stage"):
            assert not left.exists()
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=message):
        write()
    assert list(tmp_path.iterdir()) == [other]
