"""The time for a text is linear in its length, whatever the text is made of."""

import base64
import random
import time

import pytest

from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.languages import guess_languages
from msm4sr_lite.features.dictionary import text_words
from msm4sr_lite.features.sentences import item_sentences

LENGTH = 40_000
# What is repeated, after what it starts with. Each would be slow for some careless pattern.
REPEATED = [
    *[("", text) for text in ("<!--", "<!", "<script>", "<script></style>", "<style ", "-->")],
    *[("", text) for text in ("<a ", "<p x=", "</", "<", "<a =", "</script ", "&", "&amp;amp;")],
    *[("", text) for text in ("5 oz. x ", "Mr. ", "e.g. ", "(a.b. ", "a.", "5 g. ", "J. ", ". ")],
    *[("", text) for text in ("x", "é", "9", "。", "a@", "a'", "'", "5.5 ", "ous", "ing ", "İ")],
    *[("", text) for text in (" ", "\n ", "\r", "• ", "\n- a", " - ", "1. a ", "(1) ", "a, ")],
    *[("", text) for text in ("\u200b", "\ud800", "\u2028", "a" * 60 + "\n", "a" * 399 + " ")],
    *[("<a x=", text) for text in (" ", "/", "x ", "\n")],
    *[("<a ", " "), ("<!d", " "), ("</script", " "), ("&#", "1"), ("&#x", "f"), ("1. ", "99) ")],
]
USES = {
    "sentences": lambda text: item_sentences(Item("1", description=text), 10**6),
    "title": lambda text: item_sentences(Item("1", title=text)),
    "dictionary": lambda text: text_words([Item("1", title=text), Item("2", text=text)]),
    "languages": lambda text: guess_languages([Item("1", description=text)]),
}
ORDINARY = "A striped cup with a lid, for tea &amp; coffee. <b>Holds</b> 5 oz. of it.\n"


def repeated(start: str, text: str) -> str:
    return start + text * (LENGTH // len(text)) + "!"


TEXTS = {repr(parts): repeated(*parts) for parts in REPEATED}
TEXTS["base64"] = base64.b64encode(random.Random(0).randbytes(LENGTH * 3 // 4)).decode()


def seconds(use: str, text: str, limit: float = 0.0) -> float:
    """Return the shortest time of up to three runs, the first that is below ``limit``."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        USES[use](text)
        best = min(best, time.perf_counter() - start)
        if best < limit:
            break
    return best


@pytest.fixture(scope="module")
def limits() -> dict[str, float]:
    """Twenty times what ordinary text of the same length takes; a quadratic one takes hundreds."""
    return {use: 60 * seconds(use, repeated("", ORDINARY)) + 0.02 for use in USES}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_takes_much_longer_than_an_ordinary_one(name, limits):
    for use, limit in limits.items():
        assert seconds(use, TEXTS[name], limit) < limit, use


def test_a_longer_text_takes_longer_in_proportion(limits):
    for use, limit in limits.items():
        assert seconds(use, repeated("", ORDINARY) * 4, limit) < limit, use


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One <!-- two. Three", ["One <!-- two.", "Three"]),
        ("One <!-- two --> three <!-- four", ["One three <!-- four"]),
        ("One <!--> two --> three", ["One three"]),
        ("One<script>two<style>p {}</style>", ["One", "two"]),
        ("One<SCRIPT>two</script >three<script>four", ["Onethree", "four"]),
        ("One<script>'</style>' <!-- </script> two -->", ["One two -->"]),
        ("Set &#" + "1" * 5000 + "; of two", ["Set \ufffd of two"]),
        ("In. in. in. of 5 oz. x 5 oz. x", ["In.", "in.", "in.", "of 5 oz. x 5 oz. x"]),
        ("<a x=1 / >One</a ><p />two", ["One", "two"]),
    ],
)
def test_what_is_never_closed_stays_and_the_rest_goes(text, expected):
    assert item_sentences(Item("1", description=text)) == expected
