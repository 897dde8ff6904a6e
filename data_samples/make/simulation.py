"""The users of the sample: each a hidden-state machine of 8 needs and 12 tastes.

A user's *need* moves from interaction to interaction by ``TRANSITION``, which has a strong
direction, so the order of interactions matters. The *taste* in colour, pattern and silhouette
stays. The probability of an item is proportional to

    popularity  x  fit of its purpose to the need  x  fit of its look to the taste

among the items on sale that the user has not interacted with. There are 96 states, so the best
possible prediction can be computed exactly (``upper_bound``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from data_samples.make.catalogue import DOMAINS, SampleItem, make_catalogue
from data_samples.make.drawing import Look
from data_samples.make.phrases import PURPOSES
from data_samples.make.random_stream import RandomStream

USERS = 1200  # in each domain
FIRST_NEED = np.array([4, 2, 1, 1, 1, 1, 1, 1])  # many begin with the basics
STEPS = (6, 65, 16, 5, 3, 2, 1, 2)  # chance in % to stay, to go one need on, two on, ...
FITTING, OTHER = 60, 1  # weight of an item whose purpose is the need, and of any other
LENGTHS = {5: 12, 6: 16, 7: 18, 8: 16, 9: 12, 10: 9, 11: 7, 12: 4, 13: 3, 14: 2, 15: 1}  # in %

DAY = 86_400  # seconds
OPENING = int(datetime(2023, 1, 2, tzinfo=UTC).timestamp())
LAUNCH_DAY = 428  # after the opening: 5 March 2024, when the new items come
LAST_DAY = 518
OPEN_FROM, OPEN_HOURS = 8 * 3600, 13 * 3600  # interactions happen from 8 to 21 o'clock
LAUNCH = OPENING + LAUNCH_DAY * DAY


@dataclass(frozen=True)
class Taste:
    """The looks that a user prefers.

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
class SimulatedUser:
    """One user: what the dataset records, and the hidden states.

    Attributes
    ----------
    items, times
        Items of the interactions and their times (seconds since 1970), oldest first.
    taste, needs
        The hidden states: number of the taste, and the need at each interaction.
    """

    user_id: str
    domain: str
    items: tuple[str, ...]
    times: tuple[int, ...]
    taste: int
    needs: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """A whole sample: items and users of both domains, domain after domain."""

    seed: int
    items: tuple[SampleItem, ...]
    users: tuple[SimulatedUser, ...]

    def domain_items(self, domain: str) -> list[SampleItem]:
        """Return the items of one domain, in the order of ``items``."""
        return [item for item in self.items if item.domain == domain]

    def domain_users(self, domain: str) -> list[SimulatedUser]:
        """Return the users of one domain, in the order of ``users``."""
        return [user for user in self.users if user.domain == domain]


def make_world(seed: int = 7) -> World:
    """Make the items, then simulate 1,200 users in each domain.

    Takes about a second. The same seed gives the same world on every computer.
    """
    items: list[SampleItem] = []
    users: list[SimulatedUser] = []
    for domain in DOMAINS:
        catalogue = make_catalogue(seed, domain)
        items += catalogue
        users += _simulate(catalogue, RandomStream(seed, f"{domain}/shoppers"))
    return World(seed, tuple(items), tuple(users))


def need_fit(items: list[SampleItem]) -> np.ndarray:
    """Weight of each item for each need, whole numbers, shape ``(needs, items)``."""
    purpose = np.array([PURPOSES.index(item.purpose) for item in items])
    return np.where(purpose == np.arange(N_NEEDS)[:, None], FITTING, OTHER)


def taste_fit(items: list[SampleItem]) -> np.ndarray:
    """Weight of each item for each taste, whole numbers, shape ``(tastes, items)``."""
    return np.array([[taste.fit(item.look) for item in items] for taste in TASTES])


def state_weights(items: list[SampleItem]) -> np.ndarray:
    """Weight of each item in each state, whole numbers, shape ``(needs, tastes, items)``."""
    popularity = np.array([item.popularity for item in items])
    return popularity * need_fit(items)[:, None] * taste_fit(items)[None]


def _simulate(catalogue: list[SampleItem], rng: RandomStream) -> list[SimulatedUser]:
    weights = state_weights(catalogue)
    old = np.array([not item.is_new for item in catalogue])
    lengths, share = list(LENGTHS), list(LENGTHS.values())
    users = []
    for number in range(USERS):
        taste, length = rng.below(N_TASTES), lengths[rng.weighted(share)]
        need = rng.weighted(FIRST_NEED)
        on_sale = old.copy()
        needs, chosen = [need], [rng.weighted(weights[need, taste] * on_sale)]
        for step in range(1, length):
            if step == length - 1:
                on_sale[:] = True
            on_sale[chosen] = False
            need = rng.weighted(TRANSITION[need])
            needs.append(need)
            chosen.append(rng.weighted(weights[need, taste] * on_sale))
        domain = catalogue[0].domain
        users.append(
            SimulatedUser(
                user_id=f"u{domain[0]}{number + 1:04d}",
                domain=domain,
                items=tuple(catalogue[i].item_id for i in chosen),
                times=_times(rng, length),
                taste=taste,
                needs=tuple(needs),
            )
        )
    return users


def _times(rng: RandomStream, length: int) -> tuple[int, ...]:
    """Draw the times of a history: different days before the launch, one day after it."""
    first = rng.below(LAUNCH_DAY - 60)
    days = {first}
    while len(days) < length - 1:
        days.add(first + rng.below(LAUNCH_DAY - first))
    days.add(LAUNCH_DAY + rng.below(LAST_DAY - LAUNCH_DAY))
    return tuple(OPENING + day * DAY + OPEN_FROM + rng.below(OPEN_HOURS) for day in sorted(days))
