"""The shelves of the sample shop: 400 things in each department, with looks and texts.

What a thing looks like (colour, pattern, silhouette) is only in its pictures; what it is for, who
makes it and of what is only in its text; which product it is, is in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from data_samples.make.dice import Dice
from data_samples.make.drawing import (
    COLOURS,
    PATTERNS,
    PRODUCTS,
    SHAPES,
    Look,
)
from data_samples.make.phrases import (
    BENEFITS,
    BRANDS,
    FRAMES,
    LABELS,
    MAKINGS,
    MATERIAL_WEIGHTS,
    MATERIALS,
    PURPOSES,
    SCENES,
)

DEPARTMENTS = ("home", "outdoor")
ITEMS = 400  # in each department
NEW = 96  # of them, launched on the last days: nobody can have bought them before
WITHOUT_PICTURE = 20
WITHOUT_TEXT = 20
SHELF_WARMERS = 14  # older things that hardly anybody buys
SEVERAL_PICTURES = 134  # about a third have two or three views


@dataclass(frozen=True)
class SampleItem:
    """One thing on the shelf, with what the shop shows of it and what only the generator knows.

    Attributes
    ----------
    item_id, department
        Such as "h0001" in "home".
    look
        Product, colour, accent, pattern, shape: in the pictures only.
    purpose, brand, material
        In the text only. The purpose is one of ``PURPOSES``.
    title, description
        The text that was written for it, also where the shop does not show it.
    views
        Number of pictures in the shop: 0 to 3.
    has_text
        Whether the shop shows the text.
    is_new
        Whether it is launched only after all purchases but the last of every shopper.
    popularity
        Whole number: how much more often it is bought than its content explains. Never shown.
    """

    item_id: str
    department: str
    look: Look
    purpose: str
    brand: str
    material: str
    title: str
    description: str
    views: int
    has_text: bool
    is_new: bool
    popularity: int


def make_catalogue(seed: int, department: str) -> list[SampleItem]:
    """Fill the shelves of one department; the same seed gives the same things."""
    dice = Dice(seed, f"{department}/catalogue")
    purposes = _deck(dice, PURPOSES)
    products = _deck(dice, PRODUCTS[department])
    colours, patterns, shapes = (_deck(dice, names) for names in (COLOURS, PATTERNS, SHAPES))
    popularity = _popularity(dice)
    order = dice.shuffled(range(ITEMS))
    new, bare = set(order[:NEW]), dice.shuffled(range(ITEMS))
    unseen = set(bare[:WITHOUT_PICTURE])
    unread = set(bare[WITHOUT_PICTURE : WITHOUT_PICTURE + WITHOUT_TEXT])
    many = set(bare[-SEVERAL_PICTURES:])
    for slow in order[NEW : NEW + SHELF_WARMERS]:
        popularity[slow] = 1

    items = []
    for i in range(ITEMS):
        accent = dice.one_of([name for name in COLOURS if name != colours[i]])
        look = Look(products[i], colours[i], accent, patterns[i], shapes[i])
        brand = _brand(dice, department, purposes[i])
        material = _material(dice, products[i], purposes[i])
        title, description = _text(dice, department, products[i], purposes[i], brand, material)
        items.append(
            SampleItem(
                item_id=f"{department[0]}{i + 1:04d}",
                department=department,
                look=look,
                purpose=purposes[i],
                brand=brand,
                material=material,
                title=title,
                description=description,
                views=0 if i in unseen else 2 + dice.below(2) if i in many else 1,
                has_text=i not in unread,
                is_new=i in new,
                popularity=popularity[i],
            )
        )
    return items


def _deck(dice: Dice, names: Iterable[str]) -> list[str]:
    """Deal every name equally often (as far as 400 can be divided), in random order."""
    cards = list(names)
    return dice.shuffled([cards[i % len(cards)] for i in range(ITEMS)])


def _popularity(dice: Dice) -> list[int]:
    """Few things sell a lot and many sell little: whole numbers after Zipf and Mandelbrot."""
    return dice.shuffled([12000 // (rank + 200) for rank in range(ITEMS)])


def _brand(dice: Dice, department: str, purpose: str) -> str:
    """Half of the things for a purpose come from the brand that leans towards it."""
    own = PURPOSES.index(purpose)
    weights = [7 if i == own else 1 for i in range(len(PURPOSES))]
    return BRANDS[department][dice.weighted(weights)]


def _material(dice: Dice, product: str, purpose: str) -> str:
    return MATERIALS[product][dice.weighted(MATERIAL_WEIGHTS[purpose])]


def _text(
    dice: Dice, department: str, product: str, purpose: str, brand: str, material: str
) -> tuple[str, str]:
    """Write a title and a description of two or three sentences, at least one on the purpose."""
    label = dice.one_of(LABELS[purpose])
    titles = (
        f"{_capital(label)} {product}",
        f"{_capital(label)} {product} in {material}",
        f"{_capital(label)} {material} {product}",
        f"{_capital(material)} {product}",
    )
    thing = f"{'an' if product[0] in 'aeiou' else 'a'} {product}"
    words = {
        "product": product,
        "thing": thing,
        "Thing": _capital(thing),
        "scene": dice.one_of(SCENES[department][purpose]),
        "brand": brand,
        "Brand": brand,
        "material": material,
        "Material": _capital(material),
    }
    use = dice.one_of(FRAMES).format(**words)
    benefit = dice.one_of(BENEFITS[department][purpose])
    making = dice.one_of(MAKINGS).format(**words)
    forms = ((use, benefit), (use, making), (use, benefit, making), (making, use, benefit))
    return dice.one_of(titles), " ".join(dice.one_of(forms))


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
