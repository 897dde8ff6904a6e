"""The best possible recommender of the sample, computed exactly: the oracle upper bound.

A simulated user is a hidden-state machine with few states, so the forward algorithm gives the
exact probability of the next item after any history. With state z = (need, taste), history
i_1 ... i_k and A_t the items on sale and not yet in the history at step t::

    a_1(z) = P(z) e_1(i_1 | z)
    a_t(z) = e_t(i_t | z) * sum over z' of a_{t-1}(z') P(z | z')
    e_t(i | z) = weight(i, z) / sum of weight(j, z) over j in A_t
    P(next = i | history) ~ sum over z', z of a_k(z') P(z | z') e_{k+1}(i | z)

There are two oracles. ``"oracle"`` knows everything in the generator. ``"content"`` knows how
users behave, but of items only what texts and images show: every popularity is replaced by 1, and
what an item does not show by the average over the domain (see ``content_weights``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data_samples.make.catalogue import SampleItem
from data_samples.make.simulation import (
    FIRST_NEED,
    N_TASTES,
    TRANSITION,
    need_fit,
    state_weights,
    taste_fit,
)
from msm4sr_lite.config import UserError

Kind = Literal["oracle", "content"]
KINDS: tuple[Kind, ...] = ("oracle", "content")


@dataclass(frozen=True)
class HiddenStateModel:
    """The parameters of the hidden-state machine that the forward algorithm needs.

    Attributes
    ----------
    first
        P(need) at the first interaction, shape ``(needs,)``.
    transition
        P(next need | need), shape ``(needs, needs)``.
    tastes
        P(taste), shape ``(tastes,)``.
    weights
        Weight of each item in each state, shape ``(needs, tastes, items)``; not normalised.
    is_new
        Items that are on sale only after the launch, shape ``(items,)``.
    """

    first: np.ndarray
    transition: np.ndarray
    tastes: np.ndarray
    weights: np.ndarray
    is_new: np.ndarray

    @property
    def state_weights(self) -> np.ndarray:
        """Return the weights by state, shape ``(needs * tastes, items)``."""
        return self.weights.reshape(-1, self.weights.shape[-1])


def hidden_state_model(items: list[SampleItem], kind: Kind) -> HiddenStateModel:
    """Build the model of one domain as the given oracle knows it."""
    if kind not in KINDS:
        raise UserError(f'kind must be "oracle" or "content"; got {kind!r}')
    weights = state_weights(items).astype(float) if kind == "oracle" else content_weights(items)
    return HiddenStateModel(
        first=FIRST_NEED / FIRST_NEED.sum(),
        transition=TRANSITION / TRANSITION.sum(axis=1, keepdims=True),
        tastes=np.full(N_TASTES, 1 / N_TASTES),
        weights=weights,
        is_new=np.array([item.is_new for item in items]),
    )


def content_weights(
    items: list[SampleItem], *, texts: bool = True, images: bool = True
) -> np.ndarray:
    """Weight of each item in each state, as far as texts and images show it.

    Popularity is not shown: it becomes 1 for all. An item without text keeps its product (which
    the image shows); its fit to a need is the average over the domain's items of the same
    product. An item without image has, for each taste, the average fit over the domain: looks
    do not depend on the product.

    Parameters
    ----------
    items
        Of one domain.
    texts, images
        False hides all of them, to measure what the other modality alone is worth.

    Returns
    -------
    weights
        Shape ``(needs, tastes, items)``.
    """
    need = need_fit(items).astype(float)
    taste = taste_fit(items).astype(float)
    product = np.array([item.look.product for item in items])
    by_product = {name: need[:, product == name].mean(axis=1) for name in set(product)}
    anywhere = taste.mean(axis=1)
    for i, item in enumerate(items):
        if not (item.has_text and texts):
            need[:, i] = by_product[product[i]]
        if not (item.n_images and images):
            taste[:, i] = anywhere
    return need[:, None] * taste[None]


def next_item_probabilities(
    model: HiddenStateModel, histories: Sequence[np.ndarray], after_launch: bool
) -> np.ndarray:
    """Return the probability of every item being the next one.

    Parameters
    ----------
    model
        Of one domain.
    histories
        Item numbers from 0, oldest first, without repetition; lengths may differ, 0 is allowed.
        The interactions lie before the launch; a new item in a history means that the launch
        came just before it.
    after_launch
        Whether the predicted interaction happens after the launch.

    Returns
    -------
    probability
        Shape ``(histories, items)``. Rows sum to 1; items of the history, and new items before
        the launch, have 0.
    """
    states, on_sale = next_states(model, histories, after_launch)
    return (states @ model.state_weights) * on_sale


def next_states(
    model: HiddenStateModel, histories: Sequence[np.ndarray], after_launch: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Run the forward algorithm over all histories at once.

    Parameters
    ----------
    model, histories, after_launch
        As for ``next_item_probabilities``.

    Returns
    -------
    states
        P(state of the next interaction | history), divided by the weight of all items on sale in
        that state; shape ``(histories, states)``. Multiplied by ``model.state_weights`` it gives
        the probability of each item on sale.
    on_sale
        The items that can be next, shape ``(histories, items)``.
    """
    rows, (n_needs, n_tastes, n_items) = len(histories), model.weights.shape
    lengths = np.array([len(history) for history in histories], dtype=int)
    belief = np.broadcast_to(model.first[:, None] * model.tastes, (rows, n_needs, n_tastes)).copy()
    on_sale = np.broadcast_to(~model.is_new, (rows, n_items)).copy()
    launched = np.zeros(rows, dtype=bool)
    total = np.einsum("nti,i->nt", model.weights, (~model.is_new).astype(float))
    left = np.broadcast_to(total, belief.shape).copy()  # weight of what is on sale, by state
    extra = np.einsum("nti,i->nt", model.weights, model.is_new.astype(float))

    def launch(where: np.ndarray) -> None:
        launched[where] = True
        left[where] += extra
        on_sale[np.ix_(where, np.flatnonzero(model.is_new))] = True

    for step in range(lengths.max(initial=0)):
        live = np.flatnonzero(lengths > step)
        item = np.array([histories[row][step] for row in live.tolist()])
        launch(live[model.is_new[item] & ~launched[live]])
        seen = np.moveaxis(model.weights[:, :, item], -1, 0)  # (live, needs, tastes)
        belief[live] *= seen / left[live]
        belief[live] /= belief[live].sum(axis=(1, 2), keepdims=True)
        belief[live] = np.einsum("hnt,nm->hmt", belief[live], model.transition)
        left[live] -= seen
        on_sale[live, item] = False

    if after_launch:
        launch(np.flatnonzero(~launched))
    return (belief / left).reshape(rows, -1), on_sale
