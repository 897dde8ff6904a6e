"""Text from data does not act on the terminal, and an error message is always one line."""

import re
from pathlib import Path

import pytest

import msm4sr_lite
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import counted, first_line, one_line, printable, reason_of

NOUNS = (
    "cell|case|column|epoch|field|file|id|image|interaction|item|label|line|name|row|run|setting"
)
NOUNS += "|step|test case|text|time|training image|user|validation image|word"
# What stands before a plural: a count in braces that is no constant and no list of names.
COUNT = re.compile(rf"\{{(?!counted|[A-Z_]+\}}|[^{{}}]*join)[^{{}}]*\}} ({NOUNS})s\b(?!:)")


def test_only_characters_that_act_on_a_terminal_are_replaced():
    harmless = "a ä 中 \U0001f600 e\u0301 \u05d0 \u200d\n\xa0"
    assert printable(harmless) == harmless
    for number in (0, 7, 8, 9, 13, 27, 127, 0x85, 0x9B, 0x61C, 0x200E, 0x200F, 0x2028, 0x2029):
        assert printable(f"a{chr(number)}b") == "a\ufffdb"
    for number in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xD800, 0xDFFF):
        assert printable(f"a{chr(number)}b") == "a\ufffdb"
    for number in (0xAD, 0x180E, 0x200B, 0x2060, 0xFEFF, 0xFFFB, 0xE0041):
        assert printable(f"a{chr(number)}b") == "a\ufffdb"
    assert one_line("a\nb\r\nc\u2028d\te\x0bf") == "a b c d\ufffde f"


def test_an_error_message_is_one_printable_line():
    assert str(UserError("column 'a\nb\x1b[31m'; rename it")) == "column 'a b\ufffd[31m'; rename it"


def test_the_reason_of_an_error_is_one_line_without_the_name_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        (tmp_path / "missing").read_text()
    assert reason_of(error.value) == "No such file or directory"
    assert reason_of(ValueError("odd\nmore")) == first_line(ValueError("odd\nmore")) == "odd"
    assert reason_of(ValueError()) == "ValueError"


def test_one_is_not_called_many():
    assert [counted(n, "user") for n in (0, 1, 2)] == ["0 users", "1 user", "2 users"]
    assert counted(2000, "item", ",") == "2,000 items"
    found = [
        f"{path.name}: {line.strip()}"
        for path in Path(msm4sr_lite.__file__).parent.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if COUNT.search(line)
    ]
    assert found == []
