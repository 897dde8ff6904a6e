"""How far any recommender can get in the sample shop: the figures of its datasheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_samples.make.catalogue import DEPARTMENTS, SampleItem
from data_samples.make.shoppers import World
from data_samples.make.upper_bound import (
    HiddenStateModel,
    content_weights,
    expected_ndcg,
    hidden_state_model,
    next_item_probabilities,
)


@dataclass(frozen=True)
class Reach:
    """What one kind of knowledge is worth on the test split of one department.

    Attributes
    ----------
    department, knowledge
        Such as "home", "text and pictures".
    expected, measured, cold
        NDCG@10 with all items of the department as candidates but those already bought: expected
        under the true distribution; on the purchases that happened; and on those of them that
        were purchases of new items.
    """

    department: str
    knowledge: str
    expected: float
    measured: float
    cold: float


def reaches(world: World) -> Iterator[Reach]:
    """Compute the reach of every kind of knowledge in both departments."""
    for department in DEPARTMENTS:
        items = world.department(department)
        number = {item.item_id: i for i, item in enumerate(items)}
        shoppers = [s for s in world.shoppers if s.department == department]
        paths = [np.array([number[i] for i in s.items]) for s in shoppers]
        histories, bought = [p[:-1] for p in paths], np.array([p[-1] for p in paths])
        cold = np.array([items[i].is_new for i in bought])
        happened = np.eye(len(items))[bought]
        truth = next_item_probabilities(hidden_state_model(items, "oracle"), histories, True)
        for knowledge, model in _knowledge(items):
            scores = next_item_probabilities(model, histories, True)
            measured = expected_ndcg(scores, happened)
            yield Reach(
                department,
                knowledge,
                expected=float(expected_ndcg(scores, truth).mean()),
                measured=float(measured.mean()),
                cold=float(measured[cold].mean()),
            )


def _knowledge(items: list[SampleItem]) -> Iterator[tuple[str, HiddenStateModel]]:
    model = hidden_state_model(items, "oracle")
    popularity = np.array([item.popularity for item in items], dtype=float)
    weights = {
        "everything (oracle)": model.weights,
        "text and pictures (content)": content_weights(items),
        "text alone": content_weights(items, pictures=False),
        "pictures alone": content_weights(items, texts=False),
        "popularity alone": np.broadcast_to(popularity, model.weights.shape),
        "nothing (chance)": np.ones_like(model.weights),
    }
    for name, known in weights.items():
        yield (
            name,
            HiddenStateModel(model.first, model.transition, model.tastes, known, model.is_new),
        )


def table(world: World) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| department | a recommender that knows | expected | measured | on new items |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.department} | {r.knowledge} | {r.expected:.3f} | {r.measured:.3f} | {r.cold:.3f} |"
        for r in reaches(world)
    ]
    return "\n".join(lines)
