"""Lines of text files: gzip, long lines, and paths that are no files."""

import gzip
import os

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset import lines
from msm4sr_lite.dataset.lines import read_lines
from msm4sr_lite.dataset.tables import read_rows
from msm4sr_lite.store.checksums import require_file


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file."""

    def write(content):
        (tmp_path / "t.csv").write_bytes(content)
        return tmp_path / "t.csv"

    return write


def test_whether_a_file_is_packed_is_seen_from_its_content(file):
    assert list(read_lines(file(b"a\n1\n"))) == ["a\n", "1\n"]
    assert list(read_lines(file(gzip.compress(b"a\n1\n", mtime=0)))) == ["a\n", "1\n"]


def test_a_line_without_end_does_not_fill_the_memory(file, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    with pytest.raises(UserError, match="line 2: longer than"):
        list(read_lines(file(b"a\n" + b"x" * 200)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(UserError, match=r"t\.csv: not a file, but a folder, pipe or device"):
        list(read_lines(tmp_path / "t.csv"))


def test_folders_and_missing_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="not a file, but a folder"):
        require_file(tmp_path)
    with pytest.raises(UserError, match="nothing: no such file"):
        require_file(tmp_path / "nothing")


def test_a_file_that_was_packed_twice_is_refused(file):
    path = file(gzip.compress(gzip.compress(b"a\n1\n", mtime=0), mtime=0))
    with pytest.raises(UserError, match=r"t\.csv: packed with gzip twice; unpack it once"):
        list(read_lines(path))


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UserError, match="too long"):
        require_file(tmp_path / ("x" * 5000))


def test_a_key_that_is_twice_in_a_line_is_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "other": {"x": 1, "x": 2}}\n{"a": 1, "b": 2, "a": 3}\n')
    rows = read_rows(path)
    assert next(rows)[1]["a"] == 1
    with pytest.raises(UserError, match=r"t.jsonl line 2: the key 'a' is there twice; keep one"):
        next(rows)


def test_a_bit_that_flipped_inside_a_packed_file_is_one_line(file):
    whole = gzip.compress("".join(f"{n * n},{n}\n" for n in range(999)).encode(), mtime=0)
    for place in range(12, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 8
        with pytest.raises(UserError, match=r"t\.csv") as error:
            list(read_lines(file(damaged)))
        assert "\n" not in str(error.value)
