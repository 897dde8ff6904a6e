"""Shown source is that of the library."""

from __future__ import annotations

import inspect

import pytest
from course import source
from course.sources import read_code

from msm4sr_lite.store import files


def test_source_is_the_librarys(shown: list[dict[str, str]]) -> None:
    source(files.write_json)
    text = shown[0]["text/plain"]
    body = inspect.getsource(files.write_json)
    assert text.startswith("From msm4sr_lite.store.files.write_json\ndef write_json(")
    assert text.splitlines()[-1] in body
    assert '"""' not in text
    assert '"""' in read_code(files.write_json, docstring=True)
    assert "<span" in shown[0]["text/html"]


def test_a_definition_of_the_notebook_is_not_shown_as_the_librarys(monkeypatch):
    monkeypatch.setattr(write_twice, "__module__", "__main__")
    with pytest.raises(ValueError, match="write_twice is the notebook's own"):
        source(write_twice)


def write_twice(path, data):
    for _ in range(2):
        path.write_bytes(data)
    return path


def test_part_of_a_source() -> None:
    part = read_code(write_twice, ("for", "write_bytes"))
    assert part == "for _ in range(2):\n    path.write_bytes(data)"
    with pytest.raises(ValueError, match=r"write_twice must contain 'no such line'"):
        read_code(write_twice, ("for", "no such line"))
