"""Exercises of notebook 03: from token states to one embedding per item."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course.attempts import agree, differentiate, drops_like, make_module, run_module, vary
from course.checks import Exercise
from course.exercises.feature_questions import FEATURES as QUIZ  # noqa: F401


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Return one embedding per sentence: the mean over its real tokens.

    states: shape (sentences, tokens, dim); mask: shape (sentences, tokens), 1 = real.
    Result: shape (sentences, dim).
    """
    real = mask.unsqueeze(-1).float()
    return (states * real).sum(dim=1) / real.sum(dim=1)


_STATES = torch.tensor([[[2.0, 4], [4, 8], [60, 90]], [[1, 1], [2, 2], [6, 3]]])
_MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


class AttentionPooling(nn.Module):
    """Pool the embeddings of an item's sentences (or images) into one."""

    def __init__(self, feature_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(feature_dim, hidden_dim)
        self.outer = nn.Linear(hidden_dim, 1)

    def forward(self, slots: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled embeddings (items, D) and the weights (items, slots).

        slots: shape (items, slots, D); valid: shape (items, slots), True where a slot
        holds an embedding. The energy of a slot is outer(inner(slot)). The weights are
        the softmax over the valid slots of an item; without any, all weights are 0.
        """
        energy = self.outer(self.inner(slots)).squeeze(-1)
        weights = energy.masked_fill(~valid, -1e9).softmax(dim=-1) * valid
        return (weights.unsqueeze(-1) * slots).sum(dim=1), weights


def _weigh(weights, slots):
    return (weights.unsqueeze(-1) * slots).sum(dim=1), weights


def _energy(self, slots):
    return self.outer(self.inner(slots)).squeeze(-1)


_VALID = torch.tensor([[True, True, False], [True, True, True]])
_SLOTS = torch.tensor([[[1.0, -2.0], [0.5, 1.0], [9.0, 9.0]], [[2.0, 0.0], [0.0, 1.5], [1.0, 1.0]]])
_POOLING = lambda **methods: vary(AttentionPooling, **methods)  # noqa: E731
_EMPTY = "an item without any valid slot gives nan; its weights and its embedding should be 0"


def _is_empty_safe(kind):
    module = make_module(kind, (2, 3))
    pooled = module(torch.ones(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool))[0]
    return agree(pooled, torch.zeros(1, 2))


class MoEAdaptor(nn.Module):
    """Map item features of width D to the model's width d by a mixture of experts."""

    def __init__(self, feature_dim: int, dim: int, experts: int, dropout: float):
        super().__init__()
        self.experts, self.dim = experts, dim
        self.project = nn.Linear(feature_dim, experts * dim)  # all experts at once
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(experts, dim))
        self.shift = nn.Parameter(torch.zeros(experts, dim))
        self.gate = nn.Linear(feature_dim, experts, bias=False)
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.gate.weight)  # at first all experts count alike

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sum of the experts, shape (items, d).

        x: shape (items, D). dropout(project(x)) has shape (items, experts * d): the
        outputs of all experts, one after the other. Normalize each expert's d numbers:
        F.layer_norm(..., eps=1e-12), times scale, plus shift. The weights of an item's
        experts are the softmax of gate(x).
        """
        outputs = self.dropout(self.project(x)).view(len(x), self.experts, self.dim)
        outputs = F.layer_norm(outputs, (self.dim,), eps=1e-12)
        outputs = outputs * self.scale + self.shift
        gate = self.gate(x).softmax(dim=-1)
        return (gate.unsqueeze(-1) * outputs).sum(dim=1)


def _adaptor(gate=lambda self, x: self.gate(x).softmax(dim=-1), normalize=True, scaled=True):
    """Return an adaptor with another gate or another normalization."""

    def forward(self, x):
        outputs = self.dropout(self.project(x)).view(len(x), self.experts, self.dim)
        if normalize:
            outputs = F.layer_norm(outputs, (self.dim,), eps=1e-12)
        if scaled:
            outputs = outputs * self.scale + self.shift
        return (gate(self, x).unsqueeze(-1) * outputs).sum(dim=1)

    return vary(MoEAdaptor, forward=forward)


_X = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.8, -1.0], [2.0, 0.0, 1.0], [0.1, 1.0, 1.0]])
_ADAPTOR = ((3, 4, 2, 0.5), _X)
_NO_DROPOUT = "dropout does nothing in yours, or not the right thing: it follows project(x)"
_CROSSED = (np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))


def gap(text: np.ndarray, image: np.ndarray) -> float:
    """Return the modality gap: the distance between two centroids.

    text, image: shape (items, dim). All embeddings get length 1 first; a centroid is
    the mean of the embeddings of one modality.
    """
    text = text / np.linalg.norm(text, axis=1, keepdims=True)
    image = image / np.linalg.norm(image, axis=1, keepdims=True)
    return float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0)))


def _unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


EXERCISES = (
    Exercise(
        name="03.slots",
        solution=4,
        starter="slots = ...  # a whole number",
        otherwise="go through the text piece by piece",
        why="Each of these four gets an embedding, and the model decides later which of them"
        " counts.",
        hints=(
            "The first piece is title and brand, the second the categories; then the description.",
            "The description has a full stop inside a number. Is that the end of a sentence?",
        ),
        mistakes=(
            (5, "the point in 0.5 ends no sentence"),
            (3, "title and brand are a slot too"),
            (2, "title and brand are a slot, and so are the categories"),
        ),
    ),
    Exercise(
        name="03.mean_pool",
        solution=mean_pool,
        cases=((_STATES, _MASK),),
        use=differentiate,
        otherwise="these are not the means over the real tokens",
        why="A sentence's embedding may not depend on how long the other sentences of the batch"
        " are.",
        hints=(
            "Multiply by mask.unsqueeze(-1), of shape (sentences, tokens, 1), then add up over the"
            " tokens.",
            "Divide by how many tokens are real, not by how many places there are.",
        ),
        mistakes=(
            (
                lambda states, mask: states.mean(dim=1),
                "the padding of sentence 0 counts in yours; whatever stands there must not matter",
            ),
            (
                lambda states, mask: (states * mask.unsqueeze(-1)).mean(dim=1),
                "padding adds nothing to your sum, but it is still counted in the divisor",
            ),
            (
                lambda states, mask: states.mean(dim=-1),
                "you average over the dimensions; average over the tokens",
            ),
        ),
    ),
    Exercise(
        name="03.attention_pooling",
        solution=AttentionPooling,
        cases=(((2, 3), _SLOTS, _VALID),),
        use=run_module,
        properties=((_is_empty_safe, _EMPTY),),
        otherwise="these are not the sums weighted by the softmax over the valid slots",
        why="Attention pooling learns which sentences say something about an item. Empty slots have"
        " no say, so an embedding depends on the item alone.",
        hints=(
            "energy = self.outer(self.inner(slots)) has shape (items, slots, 1); squeeze(-1) drops"
            " the last axis.",
            "A softmax gives nearly no weight to an energy of -1e9: energy.masked_fill(~valid,"
            " -1e9). Multiply the weights by valid for items without slots.",
            "weights.unsqueeze(-1) * slots weighs every slot; sum over the axis of slots.",
        ),
        mistakes=(
            (
                _POOLING(forward=lambda m, s, v: _weigh(_energy(m, s).softmax(-1), s)),
                "item 0 has two valid slots, yet its empty slot takes part in the softmax",
            ),
            (
                _POOLING(forward=lambda m, s, v: _weigh((_energy(m, s) * v).softmax(-1), s)),
                "an energy of 0 is not 'no weight': e^0 = 1. Which energy gives a weight of 0?",
            ),
            (
                _POOLING(forward=lambda m, s, v: _weigh(_energy(m, s).softmax(-1) * v, s)),
                "the weights of item 0 do not sum to 1: empty slots were removed after the softmax",
            ),
            (
                _POOLING(
                    forward=lambda m, s, v: _weigh(
                        _energy(m, s).masked_fill(~v, -1e9).softmax(dim=0) * v, s
                    )
                ),
                "your softmax runs over the items; it should run over the slots of one item",
            ),
            (
                _POOLING(forward=lambda m, s, v: _weigh(v / v.sum(dim=1, keepdim=True), s)),
                "all slots count alike in yours; the energies decide how much each counts",
            ),
            (
                _POOLING(
                    forward=lambda m, s, v: _weigh(
                        _energy(m, s).masked_fill(~v, -torch.inf).softmax(-1), s
                    )
                ),
                _EMPTY,
            ),
        ),
    ),
    Exercise(
        name="03.moe_adaptor",
        solution=MoEAdaptor,
        cases=(_ADAPTOR,),
        use=run_module,
        properties=((drops_like(MoEAdaptor, *_ADAPTOR), _NO_DROPOUT),),
        otherwise="these are not the normalized outputs of the experts, weighted by the gate",
        why="Two adaptors hold most of the model's parameters. Each expert reads the features in"
        " its own way, and the gate says for every item how much each expert counts.",
        hints=(
            "self.dropout(self.project(x)) has shape (items, experts * d). view(len(x),"
            " self.experts, self.dim) gives each expert an axis of its own.",
            "F.layer_norm(outputs, (self.dim,), eps=1e-12) normalizes the last axis.",
            "The gate is self.gate(x).softmax(dim=-1), one weight per expert; unsqueeze(-1), then"
            " multiply and sum over the experts.",
        ),
        mistakes=(
            (
                _adaptor(gate=lambda self, x: self.gate(x)),
                "the gate is a softmax: the weights of an item's experts must sum to 1",
            ),
            (
                _adaptor(gate=lambda self, x: self.gate(x).softmax(dim=0)),
                "your softmax runs over the items; it should run over the experts of one item",
            ),
            (_adaptor(normalize=False), "the outputs of the experts are not normalized"),
            (_adaptor(scaled=False), "scale and shift have no effect in yours"),
            (
                vary(MoEAdaptor, forward=lambda self, x: MoEAdaptor.forward(self.eval(), x)),
                _NO_DROPOUT,
            ),
        ),
    ),
    Exercise(
        name="03.gap",
        solution=gap,
        cases=(
            (np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[-1.0, 0.0], [-3.0, -4.0]])),
            _CROSSED,
        ),
        properties=(
            (
                lambda f: abs(f(*_CROSSED)) < 1e-6,
                "two sets with the same points in another order have the same centroid, so their"
                " gap is 0",
            ),
        ),
        otherwise="this is not the distance between the two centroids",
        why="It is the distance of two centroids, and no more: a linear classifier may still"
        " separate two sets with the same centroid.",
        hints=(
            "np.linalg.norm(x, axis=1, keepdims=True) are the lengths to divide by.",
            "First the two means, one embedding each, then one distance.",
        ),
        mistakes=(
            (
                lambda text, image: float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0))),
                "long embeddings count more in yours: give all of them length 1 first",
            ),
            (
                lambda text, image: np.linalg.norm(_unit(text) - _unit(image), axis=1).mean(),
                "you average the distances of pairs; take the distance of the two means",
            ),
            (
                lambda text, image: text.mean(axis=0) - image.mean(axis=0),
                "one number was expected: the length of the difference",
            ),
        ),
    ),
)
