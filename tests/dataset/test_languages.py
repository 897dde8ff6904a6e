"""Languages are guessed well enough to warn before an English encoder reads other texts."""

import pytest

from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.languages import (
    MULTILINGUAL,
    encoder_note,
    guess_language,
    guess_languages,
)
from msm4sr_lite.dataset.rows import Item

TEXTS = {
    "English": "A mug for the garden and the kitchen. It is made of steel.",
    "German": "Eine Tasse für den Garten und die Küche. Sie ist aus Stahl.",
    "French": "Une tasse pour le jardin et la cuisine. Elle est en acier.",
    "Spanish": "Una taza para el jardín y la cocina. Es de acero.",
    "Italian": "Una tazza per il giardino e la cucina. È di acciaio.",
    "Portuguese": "Uma caneca para o jardim e a cozinha. É de aço.",
    "Dutch": "Een mok voor de tuin en het huis. Deze is van staal.",
    "Polish": "Kubek do ogrodu i na taras. Nie jest ze szkła.",
    "Cyrillic": "Кружка для сада и кухни",
    "Arabic": "كوب للحديقة والمطبخ",
    "Thai": "แก้วสำหรับสวน",
    "Chinese or Japanese": "适合花园和厨房的杯子",
    "undecided": "Blue mug, 12 oz",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_text_is_in_its_language(language) -> None:
    assert guess_language(TEXTS[language]) == language


def test_texts_without_letters_are_undecided() -> None:
    assert guess_language("12 🎁 -- 7") == "undecided"
    assert guess_languages([Item("a"), Item("b", " ")]) == {}


def test_the_sample_is_english(sample_dataset) -> None:
    found = guess_languages(Dataset.from_folder(sample_dataset).items.values())
    assert found["English"] > 0.95
    assert encoder_note(found) == []


def test_other_languages_name_a_multilingual_encoder() -> None:
    (note,) = encoder_note({"undecided": 0.6, "German": 0.3, "English": 0.1})
    assert MULTILINGUAL in note
    assert encoder_note({"undecided": 0.6, "German": 0.1, "English": 0.3}) == []
    assert encoder_note({"undecided": 1.0}) == []


def test_short_titles_are_in_no_language() -> None:
    assert guess_languages([Item("1", "a"), Item("2", "E"), Item("3", "o b")]) == {"undecided": 1.0}
    assert encoder_note({}) == []
