"""What each kind of knowledge is worth on the sample: the NDCG@10 that the best ranking reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_samples.make.catalogue import DOMAINS, SampleItem
from data_samples.make.simulation import World
from data_samples.make.upper_bound import (
    HiddenStateModel,
    content_weights,
    hidden_state_model,
    next_item_probabilities,
)
from msm4sr_lite.baselines.oracle import expected_ndcg


@dataclass(frozen=True)
class KnowledgeScore:
    """NDCG@10 of the best ranking with one kind of knowledge, on the test part of one domain.

    All items of the domain but those of the history are candidates.

    Attributes
    ----------
    domain, knowledge
        Such as "home", "text and images (content)".
    expected
        Mean over the true distribution of the next item.
    measured
        On the interactions of the test part.
    cold
        On those of them with new items.
    """

    domain: str
    knowledge: str
    expected: float
    measured: float
    cold: float


def knowledge_scores(world: World) -> Iterator[KnowledgeScore]:
    """Compute the scores of every kind of knowledge in both domains."""
    for domain in DOMAINS:
        items = world.domain_items(domain)
        number = {item.item_id: i for i, item in enumerate(items)}
        sequences = [np.array([number[i] for i in u.items]) for u in world.domain_users(domain)]
        histories, targets = [s[:-1] for s in sequences], np.array([s[-1] for s in sequences])
        cold = np.array([items[i].is_new for i in targets])
        one_hot = np.eye(len(items))[targets]
        truth = next_item_probabilities(hidden_state_model(items, "oracle"), histories, True)
        for knowledge, model in _models(items):
            scores = next_item_probabilities(model, histories, True)
            measured = expected_ndcg(scores, one_hot)
            yield KnowledgeScore(
                domain,
                knowledge,
                expected=float(expected_ndcg(scores, truth).mean()),
                measured=float(measured.mean()),
                cold=float(measured[cold].mean()),
            )


def _models(items: list[SampleItem]) -> Iterator[tuple[str, HiddenStateModel]]:
    model = hidden_state_model(items, "oracle")
    popularity = np.array([item.popularity for item in items], dtype=float)
    weights = {
        "everything (oracle)": model.weights,
        "text and images (content)": content_weights(items),
        "text alone": content_weights(items, images=False),
        "images alone": content_weights(items, texts=False),
        "popularity alone": np.broadcast_to(popularity, model.weights.shape),
        "nothing (chance)": np.ones_like(model.weights),
    }
    for name, known in weights.items():
        yield name, replace(model, weights=known)


def knowledge_table(world: World) -> str:
    """Return the scores as a Markdown table."""
    lines = [
        "| domain | the recommender knows | expected | measured | on new items |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.domain} | {s.knowledge} | {s.expected:.3f} | {s.measured:.3f} | {s.cold:.3f} |"
        for s in knowledge_scores(world)
    ]
    return "\n".join(lines)
