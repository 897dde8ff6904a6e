"""Text from data does not act on the terminal, and an error message is always one line."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.printable import first_line, one_line, printable, reason_of


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
