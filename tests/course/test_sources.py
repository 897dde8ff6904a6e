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


def test_part_of_a_source() -> None:
    part = read_code(files.write_bytes, ("try:", "draft.replace"))
    assert part.startswith("try:\n    draft.write")
    assert part.endswith("draft.replace(path)")
    with pytest.raises(ValueError, match=r"files.write_bytes must contain 'no such line'"):
        read_code(files.write_bytes, ("try:", "no such line"))
