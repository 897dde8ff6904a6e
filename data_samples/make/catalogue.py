"""The items of the sample: 400 in each domain, with looks and texts.

How an item looks (colour, pattern, silhouette) is only in its images; what it is for, its brand
and its material are only in its text; its kind of product is in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from data_samples.make.drawing import COLOURS, PATTERNS, PRODUCTS, SHAPES, Look
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
from data_samples.make.random_stream import RandomStream

DOMAINS = ("home", "outdoor")
ITEMS = 400  # in each domain
NEW = 96  # of them, launched near the end: no user can have interacted with them before
WITHOUT_IMAGE = 20
WITHOUT_TEXT = 20
RARE = 14  # older items with hardly any interaction
SEVERAL_IMAGES = 134  # about a third has two or three


@dataclass(frozen=True)
class SampleItem:
    """One item, with what the dataset shows of it and what only the generator knows.

    Attributes
    ----------
    item_id, domain
        Such as "h0001" in "home".
    look
        Product, colour, accent, pattern, shape: in the images only.
    purpose, brand, material
        In the text only. The purpose is one of ``PURPOSES``.
    title, description
        The text that was written for it, also where the dataset leaves it out.
    n_images
        Number of images in the dataset, 0 to 3.
    has_text
        Whether the dataset holds the text.
    is_new
        Whether it is launched after all interactions but the last of every user.
    popularity
        Whole number: factor of its interactions that its content does not explain. In neither
        text nor images.
    """

    item_id: str
    domain: str
    look: Look
    purpose: str
    brand: str
    material: str
    title: str
    description: str
    n_images: int
    has_text: bool
    is_new: bool
    popularity: int


def make_catalogue(seed: int, domain: str) -> list[SampleItem]:
    """Make the items of one domain; the same seed gives the same items."""
    rng = RandomStream(seed, f"{domain}/catalogue")
    purposes = _deal(rng, PURPOSES)
    products = _deal(rng, PRODUCTS[domain])
    colours, patterns, shapes = (_deal(rng, names) for names in (COLOURS, PATTERNS, SHAPES))
    # Zipf-Mandelbrot in whole numbers: few items are very popular.
    popularity = rng.shuffled([12000 // (rank + 200) for rank in range(ITEMS)])
    order = rng.shuffled(range(ITEMS))
    new, incomplete = set(order[:NEW]), rng.shuffled(range(ITEMS))
    no_image = set(incomplete[:WITHOUT_IMAGE])
    no_text = set(incomplete[WITHOUT_IMAGE : WITHOUT_IMAGE + WITHOUT_TEXT])
    several = set(incomplete[-SEVERAL_IMAGES:])
    for rare in order[NEW : NEW + RARE]:
        popularity[rare] = 1

    items = []
    for i in range(ITEMS):
        accent = rng.one_of([name for name in COLOURS if name != colours[i]])
        look = Look(products[i], colours[i], accent, patterns[i], shapes[i])
        # Half of the items of a purpose come from the brand that leans towards it.
        leaning = [7 if purpose == purposes[i] else 1 for purpose in PURPOSES]
        brand = BRANDS[domain][rng.weighted(leaning)]
        material = MATERIALS[products[i]][rng.weighted(MATERIAL_WEIGHTS[purposes[i]])]
        title, description = _text(rng, domain, products[i], purposes[i], brand, material)
        items.append(
            SampleItem(
                item_id=f"{domain[0]}{i + 1:04d}",
                domain=domain,
                look=look,
                purpose=purposes[i],
                brand=brand,
                material=material,
                title=title,
                description=description,
                n_images=0 if i in no_image else 2 + rng.below(2) if i in several else 1,
                has_text=i not in no_text,
                is_new=i in new,
                popularity=popularity[i],
            )
        )
    return items


def _deal(rng: RandomStream, names: Iterable[str]) -> list[str]:
    """Give each item a name: every name equally often, in random order."""
    names = list(names)
    return rng.shuffled([names[i % len(names)] for i in range(ITEMS)])


def _text(
    rng: RandomStream, domain: str, product: str, purpose: str, brand: str, material: str
) -> tuple[str, str]:
    """Write a title and a description of two or three sentences, at least one on the purpose."""
    label = _capital(rng.one_of(LABELS[purpose]))
    titles = (
        f"{label} {product}",
        f"{label} {product} in {material}",
        f"{label} {material} {product}",
        f"{_capital(material)} {product}",
    )
    thing = f"{'an' if product[0] in 'aeiou' else 'a'} {product}"
    words = {
        "product": product,
        "thing": thing,
        "Thing": _capital(thing),
        "scene": rng.one_of(SCENES[domain][purpose]),
        "brand": brand,
        "Brand": brand,
        "material": material,
        "Material": _capital(material),
    }
    use = rng.one_of(FRAMES).format(**words)
    benefit = rng.one_of(BENEFITS[domain][purpose])
    making = rng.one_of(MAKINGS).format(**words)
    forms = ((use, benefit), (use, making), (use, benefit, making), (making, use, benefit))
    return rng.one_of(titles), " ".join(rng.one_of(forms))


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
