"""Where the dictionary comes from: lists, texts, labels of a column, files."""

import json
import os

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.sources import read_items
from msm4sr_lite.features.dictionary import read_dictionary, text_words, word_list


def test_the_sources_of_a_dictionary(tmp_path):
    (tmp_path / "words.txt").write_text("# comment\nred\n\nblue \nred\n", encoding="utf-8")
    path = str(tmp_path / "words.txt")
    assert read_dictionary(path, []) == ["red", "blue"]
    items = [Item(str(n), description="The zeppelin.") for n in range(2)]
    both = read_dictionary("visual+texts", items)
    assert both[0] == word_list("visual_words")[0]
    assert both[-1] == "zeppelin"
    assert read_dictionary(f"texts+{path}", items) == ["zeppelin", "red", "blue"]
    (tmp_path / "a+b.txt").write_text("green", encoding="utf-8")
    assert read_dictionary(str(tmp_path / "a+b.txt"), []) == ["green"]
    for source in ("nowhere.txt", "visual+nowhere.txt", "", "visual+", "nul\0"):
        with pytest.raises(UserError, match=r"neither visual, texts, column:NAME nor a UTF-8 text"):
            read_dictionary(source, [])


@pytest.fixture
def labelled(tmp_path):
    """Three items with labels of several kinds."""
    records = [
        {"item_id": "a", "colour": "Dark  Blue", "tags": ["Warm", "red"], "price": 3},
        {"item_id": "b", "colour": "red", "tags": ["red"], "note": "far too long to be one label"},
        {"item_id": "c", "colour": "Red", "tags": None, "price": 2.5},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(text, encoding="utf-8")
    return tmp_path, [Item(record["item_id"]) for record in records]


def test_labels_of_a_column(labelled):
    folder, items = labelled
    assert read_dictionary("column:colour", items, folder) == ["red", "dark blue"]
    assert read_dictionary("column:tags", items, folder) == ["red", "warm"]
    assert read_dictionary("column:tags+column:colour", items, folder) == [
        "red",
        "warm",
        "dark blue",
    ]
    assert read_dictionary("column:colour", items[:1], folder) == ["dark blue"]  # a domain
    for column, message in {
        "size": "no column 'size'; there is item_id, colour, tags, price, note",
        "price": "dictionary column:price: the column has no labels of at most 5 words",
        "note": "dictionary column:note: the column has no labels of at most 5 words",
    }.items():
        with pytest.raises(UserError, match=message):
            read_dictionary(f"column:{column}", items, folder)
    with pytest.raises(UserError, match="needs a dataset folder"):
        read_dictionary("column:colour", items)


def test_labels_of_a_column_in_a_csv_file(labelled):
    folder, items = labelled
    (folder / "items.jsonl").unlink()
    (folder / "items.csv").write_text("item_id,colour\na,Red\nb,\nc,blue\n", encoding="utf-8")
    assert read_dictionary("column:colour", items, folder) == ["blue", "red"]


# ------------------------------------------------------ nouns and adjectives of texts


def test_word_lists_are_clean():
    for name in ("visual_words", "stop_words"):
        words = word_list(name)
        assert len(words) == len(set(words))
        assert all(word == word.strip().lower() for word in words)
    assert {"striped", "mug", "red"} <= set(word_list("visual_words"))
    assert not {"striped", "mug", "red", "long", "sleeve"} & set(word_list("stop_words"))


def words_of(*texts, **options):
    """The words of items with these descriptions, each of them used twice."""
    items = [Item(str(n), description=text) for n, text in enumerate(texts * 2)]
    return set(text_words(items, max_share=1.0, **options))


@pytest.mark.parametrize(
    ("text", "kept", "dropped"),
    [
        ("A striped cup with a handle.", "striped cup handle", "with"),
        ("You wear it with a belt.", "belt", "wear you"),
        ("Pockets that shape the waist.", "waist", "shape"),
        ("Clogs with soles in cork.", "cork", ""),
        ("It brightens a room softly.", "room", "brightens softly"),
        ("The curly handle is friendly.", "curly handle", ""),
        ("Spacious shoulder bag in jersey", "spacious jersey", ""),
        ("Unlined.", "", "unlined"),  # one word alone: no neighbour speaks for it
        ("Good for storing tea in the lining.", "tea lining", "storing good"),
        ("The cup has padded cups, is sewn of foam.", "padded cups foam", "sewn"),
        ("A T-shirt with a V-neck, 5 buttons.", "t-shirt v-neck buttons", "shirt neck"),
        ("By norr.com, from the shop's cellar; don't ask.", "shop cellar", "com norr don't"),
        ("A MUG OF CLAY.", "mug clay", ""),
    ],
)
def test_neighbours_show_nouns_and_adjectives(text, kept, dropped):
    words = words_of(text)
    assert set(kept.split()) <= words
    assert not set(dropped.split()) & words


def test_names_are_left_out_wherever_they_stand():
    names = {"ostrinke", "florida", "inga", "norr"}
    texts = [
        "Ostrinke makes it with care in Florida, of clay.",
        "A mug by Ostrinke and a bowl, for Florida.",
        "Clay from Florida.",
    ]
    items = [Item(str(n), "Inga mug", "Norr", description=text) for n, text in enumerate(texts * 2)]
    words = set(text_words(items, max_share=1.0))
    assert not names & words
    assert {"mug", "clay", "bowl"} <= words


def test_words_of_categories_are_nouns_but_those_of_titles_are_not():
    items = [Item(str(n), "Inga Bowl", categories=("Soup Bowl",)) for n in range(3)]
    assert text_words(items, max_share=1.0) == ["bowl", "soup"]
    items = [Item(str(n), "a wide bowl with inga lid") for n in range(3)]  # no other text
    assert {"wide", "lid"} <= set(text_words(items, max_share=1.0))


def test_words_are_counted_once_per_item_and_kept_between_two_bounds():
    items = [
        Item("1", description="The pan of steel, the pan of the pan."),
        Item("2", description="A pan with a lid, of steel."),
        Item("3", description="A lid for the steel. A teapot."),
        Item("4", description="A handle of steel."),
    ]
    assert text_words(items) == ["lid", "pan"]  # steel: in more than half
    assert text_words(items, max_share=1.0) == ["steel", "lid", "pan"]
    assert text_words(items, max_share=1.0, min_items=1) == [
        "steel", "lid", "pan", "handle", "teapot",
    ]  # fmt: skip
    assert text_words(items, max_share=1.0, limit=1) == ["steel"]


def test_the_sample_gives_no_brand(sample_dataset):
    items = list(read_items(sample_dataset / "items.jsonl").values())
    words = text_words(items)
    brands = {item.brand.lower() for item in items if item.brand}
    assert len(brands) > 10
    assert not brands & set(words)
    assert words == text_words(items)
    assert {"mug", "lantern", "stoneware", "bamboo"} <= set(words)


def test_real_fashion_gives_no_first_name(real_data):
    items = list(read_items(real_data / "hm_fashion" / "items.jsonl").values())[:3000]
    words = set(text_words(items))
    assert not {"inga", "lana", "florida", "kelly", "tanya", "gently", "keep", "wear"} & words
    assert {"pocket", "jersey", "ribbed", "hood", "v-neck", "sleeveless"} <= words
    assert 300 < len(words) < 1000


def test_a_pipe_is_no_dictionary(tmp_path):
    os.mkfifo(tmp_path / "words")
    with pytest.raises(UserError, match="neither visual, texts"):
        read_dictionary(str(tmp_path / "words"), [])
