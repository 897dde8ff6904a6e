"""Answers that are numbers are what the library says they are."""

from msm4sr_lite.config import PretrainConfig
from msm4sr_lite.course.checks import find_exercise
from msm4sr_lite.encoder import ExpertAdapter
from msm4sr_lite.reading.shop_folder import read_shop
from msm4sr_lite.sequences import build_sequences
from msm4sr_lite.shop import Item
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.text import item_sentences


def test_the_adapter_has_as_many_parameters_as_the_exercise_says():
    adapter = ExpertAdapter(feature_dim=384, dim=64, experts=8, dropout=0.2)
    count = sum(p.numel() for p in adapter.parameters())
    assert find_exercise("05.parameters").solution == count


def test_the_share_that_trades_places_is_half_the_limit():
    assert find_exercise("04.share").solution == PretrainConfig().mixup_max / 2


def test_the_lamp_has_as_many_slots_as_the_exercise_says():
    text = "Bright &amp; small. Uses 0.5 watts per hour."
    lamp = Item("1", "Desk lamp", "Lumo", categories=("lamp",), description=text)
    assert find_exercise("03.slots").solution == len(item_sentences(lamp))


def test_as_many_cold_items_compete_as_the_exercise_says(sample_shop):
    shop = read_shop(sample_shop, department="home")
    sequences = build_sequences(shop.events, list(shop.items))
    assert find_exercise("08.chance").solution == 10 / len(cold_items(sequences))
