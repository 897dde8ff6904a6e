"""Make text from data harmless before it is shown: one line, without control characters."""

import re
from collections.abc import Sequence

# Control characters, which could move the cursor or recolour the terminal, except the line end;
# marks that reverse the direction of what follows; other line ends; halves of surrogate pairs;
# what takes no room, except the joiners that emoji and some scripts need.
UNPRINTABLE = re.compile(
    r"[\x00-\t\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""Replace all characters that could change how a terminal shows the text around them.

    >>> printable("a\x1b[31mb")
    'a�[31mb'
    """
    return UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    r"""Return a text as one printable line, with a space for each line end.

    >>> one_line("a\r\nb")
    'a b'
    """
    return printable(" ".join(text.splitlines()))


def counted(number: int, noun: str, form: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "user"), counted(2000, "user", ",")
    ('1 user', '2,000 users')
    """
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"


def with_first(ids: Sequence[str]) -> str:
    """Return how many ids there are, and the first.

    >>> with_first(["h7", "h9"])
    "2 (the first is 'h7')"
    """
    return f"{len(ids)} (the first is {ids[0]!r})"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def reason_of(error: Exception) -> str:
    """Return why a file cannot be used: what the system says without its name, or the message."""
    return getattr(error, "strerror", None) or first_line(error)
