"""Sentences from texts as they are really written."""

import json

import pytest

from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.sentences import LONGEST, item_sentences

UGLY = [
    # Ends of sentences, and what only looks like one.
    ("One. Two! Three?", ["One.", "Two!", "Three?"]),
    ("soft and warm. easy to wash. no bleach", ["soft and warm.", "easy to wash.", "no bleach"]),
    ("Holds 5.5 oz. of tea. Weighs 2.1 kg.", ["Holds 5.5 oz. of tea.", "Weighs 2.1 kg."]),
    ("Holds 12 fl. oz. Dishwasher safe.", ["Holds 12 fl. oz.", "Dishwasher safe."]),
    ("Heel approx. 10 cm. Lined.", ["Heel approx. 10 cm.", "Lined."]),
    ("Good for drinks, e.g. tea or coffee.", ["Good for drinks, e.g. tea or coffee."]),
    ("Made in the U.S.A. of steel.", ["Made in the U.S.A. of steel."]),
    ("Meets U.S. FDA rules. Vegan.", ["Meets U.S. FDA rules.", "Vegan."]),
    ("By J. R. R. Tolkien vs. Mr. Smith. New.", ["By J. R. R. Tolkien vs. Mr. Smith.", "New."]),
    ("Finish Line Inc. is a shop.", ["Finish Line Inc. is a shop."]),
    ("Measures 3 in. by 4 in. Comes in. Goes.", ["Measures 3 in. by 4 in.", "Comes in.", "Goes."]),
    ('He said "Buy!" We did. (Really.) Yes', ['He said "Buy!"', "We did.", "(Really.)", "Yes"]),
    ("Wait... there is more…", ["Wait...", "there is more…"]),
    ("no full stop here", ["no full stop here"]),
    ("No. 5 perfume", ["No. 5 perfume"]),
    # The space after the end is missing; addresses and versions stay whole.
    ("Easy to wash.Made in Norway!Buy now", ["Easy to wash.", "Made in Norway!", "Buy now"]),
    ("See www.Norr.com or norr.com, v2.1.Final", ["See www.Norr.com or norr.com, v2.1.Final"]),
    ("这是杯子。很轻。", ["这是杯子。", "很轻。"]),
    # Lists.
    ("• Light • Strong\n• Cheap", ["Light", "Strong", "Cheap"]),
    ("Features:\n- red\n- blue\n* green\n– grey", ["Features:", "red", "blue", "green", "grey"]),
    ("1. Light\n2. Strong\n10) Cheap", ["Light", "Strong", "Cheap"]),
    ("(1) Fold it (2) Wash it", ["Fold it", "Wash it"]),
    ("1) Light 2) Size 3.5 cm", ["Light", "Size 3.5 cm"]),
    ("Set of 2. Blue", ["Set of 2.", "Blue"]),
    ("Mug - blue - 10 - 20 cm", ["Mug", "blue", "10 - 20 cm"]),
    ("T-shirt, V-neck", ["T-shirt, V-neck"]),
    ("✓ Soft ✓ Warm", ["Soft", "Warm"]),
    ("A line that a mail program has broken after sixty characters\nor so goes on. End.",
     ["A line that a mail program has broken after sixty characters or so goes on.", "End."]),
    ("short line\nnext line", ["short line", "next line"]),
    ("One\r\nTwo\rThree", ["One", "Two", "Three"]),
    # HTML, once and twice escaped, and what only looks like it.
    ("Tea &amp; cake.<br>For <b>two</b> people", ["Tea & cake.", "For two people"]),
    ("Tea &amp;amp; cake, 5&nbsp;cm", ["Tea & cake, 5 cm"]),
    ("&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;", ["One", "Two"]),
    ('<ul class="a b"><li>One<li>Two</ul>', ["One", "Two"]),
    ('in <a href="http://x.y/?a=1&b=2">boxes</a>, <i>new</i>.', ["in boxes, new."]),
    ("<style>p {color: red}</style>Red<!-- a > b --><script>go('x')</script> mug", ["Red mug"]),
    ('Red<img src="x.png" alt="no">Blue<BR/>Green', ["Red", "Blue", "Green"]),
    ("Rated < 5 or > 3", ["Rated < 5 or > 3"]),
    ("a <b and c> d", ["a <b and c> d"]),
    # Nothing to read.
    (" - \n...\n", []),
    ("<p></p>&nbsp;", []),
    ("soft\u00adhy\u200bphen\ufeff", ["softhyphen"]),
]  # fmt: skip


@pytest.mark.parametrize(("description", "expected"), UGLY)
def test_a_text_is_split_into_sentences(description, expected):
    assert item_sentences(Item("1", description=description)) == expected


def test_title_brand_and_categories_come_first_and_the_limit_holds():
    item = Item("1", "Mug", "Norr", ("Kitchen", "Cups"), "A cup. " * 20)
    found = item_sentences(item, limit=4)
    assert found == ["Mug, Norr", "Kitchen, Cups", "A cup.", "A cup."]
    assert len(item_sentences(item)) == 10
    assert item_sentences(Item("1", images=("x.png",))) == []
    assert item_sentences(Item("1", "<b>Tea</b> &amp; Co", categories=("", "Pots\n"))) == [
        "Tea & Co",
        "Pots",
    ]


def test_a_long_sentence_is_cut_at_the_best_place():
    comma = "a wide blue cup, " * 60
    for text, end in [
        (comma, "cup,"),
        ("a wide blue cup; but, " * 60, "cup;"),
        ("cup " * 250, "cup"),
    ]:
        parts = item_sentences(Item("1", description=text), 99)
        assert " ".join(parts).split() == text.split()
        assert all(LONGEST // 2 <= len(part) <= LONGEST for part in parts[:-1])
        assert all(part.endswith(end) for part in parts[:-1])
    parts = item_sentences(Item("1", description="x" * 1000), 99)
    assert list(map(len, parts)) == [400, 400, 200]


def test_no_letter_is_lost_in_real_texts(real_data):
    """Every letter of a text without HTML is in its sentences, in order."""
    folders = ("amazon_giftcards_raw", "hm_fashion")
    lines = [
        line
        for name in folders
        for line in (real_data / name / "items.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()[:1547]
    ]
    long = 0
    for line in lines:
        text = json.loads(line)["description"] or ""
        found = item_sentences(Item("1", description=text), 10**6)
        long += sum(len(sentence) > LONGEST for sentence in found)
        if not set("<&•1") & set(text):
            letters = ["".join(filter(str.isalnum, part)) for part in (text, "".join(found))]
            assert letters[0] == letters[1]
    assert long == 0
