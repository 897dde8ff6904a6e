"""What commands share: lists of ids, and printing."""

import argparse
import os

import pytest

from msm4sr_lite.cli import common
from msm4sr_lite.cli.common import item_list, read_dataset, read_ids, show
from msm4sr_lite.config import UserError
from tests.toys import toy_dataset


def test_a_list_on_the_command_line_is_split_at_commas():
    assert item_list(" a,b ,, c d,") == ["a", "b", "c d"]
    assert item_list("") == item_list(None) == []


def test_ids_are_the_lines_of_a_file(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfi1\r\n\r\n  i2 \r\ni,3")
    assert read_ids(path) == ["i1", "i2", "i,3"]
    assert read_ids(None) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [(b" \n\n", "no item_id in it"), (b"\xff\xfe", "cannot be read"), (None, "no such file")],
)
def test_a_file_without_ids_is_named(content, message, tmp_path):
    path = tmp_path / "ids.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"ids.txt: {message}"):
        read_ids(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.mkfifo(path), "not a file"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a file"),
        (lambda path: path.symlink_to(path), "no such file"),
        (
            lambda path: path.write_bytes(b"") or os.truncate(path, common.LARGEST + 1),
            "larger than",
        ),
    ],
)
def test_what_may_never_end_is_not_read(make, message, tmp_path):
    path = tmp_path / "ids.txt"
    make(path)
    with pytest.raises(UserError, match=rf"ids.txt: .*{message}.*; give one item_id"):
        read_ids(path)


def test_notes_of_a_dataset_are_said_only_where_asked(tmp_path, capsys):
    args = argparse.Namespace(
        data=toy_dataset(tmp_path / "toys"), domain="", drop_unknown=True, rename=None
    )
    with (args.data / "interactions.csv").open("a") as file:
        file.write("u1,ghost,9\n")
    assert read_dataset(args, notes=False).notes
    assert capsys.readouterr().err == ""
    read_dataset(args)
    assert capsys.readouterr().err.startswith("note: interactions with items not in")


def test_of_remembered_renames_only_those_of_missing_columns_are_left_out(tmp_path):
    folder = toy_dataset(tmp_path / "toys")
    args = argparse.Namespace(data=folder, domain="", drop_unknown=True, rename=None)
    path = folder / "interactions.csv"
    path.write_text(path.read_text().replace("user_id", "visitor", 1))
    remembered = {"visitor": "user_id", "sku": "item_id"}
    assert read_dataset(args, columns=remembered).users
    with path.open("a") as file:
        file.write("u1,i1\n")
    with pytest.raises(UserError, match="2 cells, but the header has"):
        read_dataset(args, columns=remembered)


@pytest.mark.parametrize(
    ("as_json", "rank", "printed"),
    [
        (True, "0", '{"name": "ä"}\n'),
        (False, "0", "one \ufffd[31mline\nand another\n"),
        (True, "1", ""),
        (False, "1", ""),
    ],
)
def test_the_first_process_prints_json_or_text(as_json, rank, printed, capsys, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    show(argparse.Namespace(json=as_json), {"name": "ä"}, "one \x1b[31mline\nand another")
    assert capsys.readouterr() == (printed, "")
