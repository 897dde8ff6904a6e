"""The shoppers of the sample shop: each a hidden-state machine of 8 needs and 12 tastes.

A shopper's *need* moves from purchase to purchase by ``TRANSITION``, which has a strong direction,
so the order of purchases matters. The *taste* in colour, pattern and silhouette stays. An item is
bought in proportion to

    popularity  x  fit of its purpose to the need  x  fit of its look to the taste

among the things that are on sale and that the shopper does not have yet. That is all: there are
96 states, so the best possible prediction can be computed exactly (``ceiling``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from data_samples.make.catalogue import DEPARTMENTS, SampleItem, make_catalogue
from data_samples.make.dice import Dice
from data_samples.make.drawing import Look
from data_samples.make.phrases import PURPOSES

USERS = 1200  # in each department
FIRST_NEED = np.array([4, 2, 1, 1, 1, 1, 1, 1])  # many begin with the basics
STEPS = (6, 65, 16, 5, 3, 2, 1, 2)  # chance in % to stay, to go one need on, two on, ...
FITTING, OTHER = 60, 1  # weight of an item whose purpose is the need, and of any other
LENGTHS = {5: 12, 6: 16, 7: 18, 8: 16, 9: 12, 10: 9, 11: 7, 12: 4, 13: 3, 14: 2, 15: 1}  # in %

DAY = 86_400  # seconds
OPENING = int(datetime(2023, 1, 2, tzinfo=UTC).timestamp())
LAUNCH_DAY = 428  # after the opening: 5 March 2024, when the new things come
LAST_DAY = 518
OPEN_FROM, OPEN_HOURS = 8 * 3600, 13 * 3600  # purchases are made from 8 to 21 o'clock
LAUNCH = OPENING + LAUNCH_DAY * DAY


@dataclass(frozen=True)
class Taste:
    """What a shopper likes to look at.

    ``colours`` and ``patterns`` name the favourite and the second best.
    """

    name: str
    colours: tuple[str, str]
    patterns: tuple[str, str]
    shape: str

    def fit(self, look: Look) -> int:
        """Weight of a look: main colour twice, accent once (where a pattern shows it)."""
        colours = dict(zip(self.colours, (20, 8), strict=True))
        patterns = dict(zip(self.patterns, (8, 4), strict=True))
        main = colours.get(look.colour, 1)
        accent = main if look.pattern == "plain" else colours.get(look.accent, 1)
        return (
            (2 * main + accent) * patterns.get(look.pattern, 1) * (1 + (look.shape == self.shape))
        )


TASTES = (
    Taste("fairground", ("red", "yellow"), ("dotted", "zigzag"), "round"),
    Taste("harbour", ("blue", "grey"), ("striped", "plain"), "tall"),
    Taste("garden", ("pink", "purple"), ("floral", "dotted"), "round"),
    Taste("workshop", ("black", "grey"), ("plain", "checked"), "square"),
    Taste("farmhouse", ("brown", "orange"), ("checked", "floral"), "square"),
    Taste("forest", ("green", "brown"), ("floral", "striped"), "tall"),
    Taste("stage", ("purple", "black"), ("zigzag", "striped"), "tall"),
    Taste("meadow", ("yellow", "orange"), ("dotted", "floral"), "round"),
    Taste("office", ("grey", "blue"), ("checked", "plain"), "square"),
    Taste("carnival", ("orange", "red"), ("zigzag", "dotted"), "square"),
    Taste("lagoon", ("blue", "green"), ("striped", "checked"), "round"),
    Taste("matador", ("black", "red"), ("plain", "zigzag"), "tall"),
)
N_NEEDS, N_TASTES = len(PURPOSES), len(TASTES)
TRANSITION = np.stack([np.roll(STEPS, need) for need in range(N_NEEDS)])  # whole %, rows sum to 100


@dataclass(frozen=True)
class Shopper:
    """One simulated user: what the shop records, and the states that it never sees.

    Attributes
    ----------
    items, times
        What was bought and when (seconds since 1970), oldest first.
    taste, needs
        The hidden states: number of the taste, and the need at each purchase.
    """

    user_id: str
    department: str
    items: tuple[str, ...]
    times: tuple[int, ...]
    taste: int
    needs: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """A whole sample shop: things and shoppers of both departments."""

    seed: int
    items: tuple[SampleItem, ...]
    shoppers: tuple[Shopper, ...]

    def department(self, name: str) -> list[SampleItem]:
        """Return the items of one department, in the order of ``items``."""
        return [item for item in self.items if item.department == name]


def make_world(seed: int = 7) -> World:
    """Fill the shelves, then let 1,200 shoppers go through each department.

    Takes about a second. The same seed gives the same world on every computer.
    """
    items: list[SampleItem] = []
    shoppers: list[Shopper] = []
    for department in DEPARTMENTS:
        shelf = make_catalogue(seed, department)
        items += shelf
        shoppers += _simulate(shelf, Dice(seed, f"{department}/shoppers"))
    return World(seed, tuple(items), tuple(shoppers))


def need_fit(items: list[SampleItem]) -> np.ndarray:
    """Weight of each item for each need, whole numbers, shape ``(needs, items)``."""
    purpose = np.array([PURPOSES.index(item.purpose) for item in items])
    return np.where(purpose == np.arange(N_NEEDS)[:, None], FITTING, OTHER)


def taste_fit(items: list[SampleItem]) -> np.ndarray:
    """Weight of each item for each taste, whole numbers, shape ``(tastes, items)``."""
    return np.array([[taste.fit(item.look) for item in items] for taste in TASTES])


def _simulate(shelf: list[SampleItem], dice: Dice) -> list[Shopper]:
    popularity = np.array([item.popularity for item in shelf])
    weights = popularity * need_fit(shelf)[:, None] * taste_fit(shelf)[None]
    old = np.array([not item.is_new for item in shelf])
    lengths, share = list(LENGTHS), list(LENGTHS.values())
    shoppers = []
    for number in range(USERS):
        taste, length = dice.below(N_TASTES), lengths[dice.weighted(share)]
        need = dice.weighted(FIRST_NEED)
        on_sale = old.copy()
        needs, bought = [need], [dice.weighted(weights[need, taste] * on_sale)]
        for step in range(1, length):
            if step == length - 1:
                on_sale[:] = True
            on_sale[bought] = False
            need = dice.weighted(TRANSITION[need])
            needs.append(need)
            bought.append(dice.weighted(weights[need, taste] * on_sale))
        department = shelf[0].department
        shoppers.append(
            Shopper(
                user_id=f"u{department[0]}{number + 1:04d}",
                department=department,
                items=tuple(shelf[i].item_id for i in bought),
                times=_times(dice, length),
                taste=taste,
                needs=tuple(needs),
            )
        )
    return shoppers


def _times(dice: Dice, length: int) -> tuple[int, ...]:
    """Draw moments of purchase: different days before the launch, one day after it."""
    first = dice.below(LAUNCH_DAY - 60)
    days = {first}
    while len(days) < length - 1:
        days.add(first + dice.below(LAUNCH_DAY - first))
    days.add(LAUNCH_DAY + dice.below(LAST_DAY - LAUNCH_DAY))
    return tuple(OPENING + day * DAY + OPEN_FROM + dice.below(OPEN_HOURS) for day in sorted(days))
