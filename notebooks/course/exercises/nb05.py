"""Exercises of notebook 05: pooling, gating, the causal mask, and counting parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks import Exercise


def pool(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    """Return one embedding per item: a weighted sum of its real slots.

    energy: shape (items, slots); slots: shape (items, slots, D);
    valid: shape (items, slots), True where a slot is real. Every item has a real slot.
    Result: shape (items, D). The weights of an item's real slots sum to 1.
    """
    weights = energy.masked_fill(~valid, -torch.inf).softmax(dim=-1)
    return (weights.unsqueeze(-1) * slots).sum(dim=1)


def _weigh(weights, slots):
    return (weights.unsqueeze(-1) * slots).sum(dim=1)


_ENERGY = torch.tensor([[0.0, 1.0, 5.0], [2.0, -1.0, 0.5]])
_VALID = torch.tensor([[True, True, False], [True, True, True]])
_SLOTS = torch.arange(12.0).reshape(2, 3, 2) + 1
_SLOTS[0, 2] = 99.0  # padding: whatever it holds must not matter


def mixture(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    """Return the gated sum of the experts.

    outputs: shape (items, experts, d); gate_logits: shape (items, experts).
    The gate is the softmax over the experts of an item. Result: shape (items, d).
    """
    gate = gate_logits.softmax(dim=-1)
    return torch.einsum("ie,ied->id", gate, outputs)


_OUTPUTS = torch.tensor([[[1.0, 0], [0, 1], [3, 3]], [[2, 2], [4, 0], [0, 6]]])
_LOGITS = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.0]])


def may_look(time: int) -> Tensor:
    """Return who may look at whom: [k, j] is True where position k may look at j.

    A position sees itself and what came before it. Result: shape (time, time), bool.
    """
    return torch.ones(time, time, dtype=torch.bool).tril()


_MAPS, _GATE = 384 * 64 * 8, 384 * 8

EXERCISES = (
    Exercise(
        name="05.pool",
        solution=pool,
        cases=((_ENERGY, _SLOTS, _VALID),),
        otherwise="these are not the weighted sums of the real slots",
        why="An item's embedding now depends on its own slots alone, and not on how many sentences"
        " the longest text of the dataset has.",
        hints=(
            "Padding must have no weight, and the others must sum to 1 all the same.",
            "A softmax gives weight 0 to an energy of minus infinity: energy.masked_fill(...).",
            "weights.unsqueeze(-1) * slots weighs every slot; sum over the axis of slots.",
        ),
        mistakes=(
            (
                lambda energy, slots, valid: _weigh(energy.softmax(dim=-1), slots),
                "item 0 has two real slots, yet its padding takes part in the softmax",
            ),
            (
                lambda energy, slots, valid: _weigh((energy * valid).softmax(dim=-1), slots),
                "an energy of 0 is not 'no weight': e^0 = 1. Which energy gives a weight of 0?",
            ),
            (
                lambda energy, slots, valid: _weigh(energy.softmax(dim=-1) * valid, slots),
                "the weights of item 0 do not sum to 1: padding was removed after the softmax",
            ),
            (
                lambda energy, slots, valid: _weigh(
                    energy.masked_fill(~valid, -torch.inf).softmax(dim=0), slots
                ),
                "your softmax runs over the items; it should run over the slots of one item",
            ),
            (
                lambda energy, slots, valid: slots.sum(dim=1) / valid.sum(dim=1, keepdim=True),
                "all slots count alike in yours; the energies decide how much each counts",
            ),
            (
                lambda energy, slots, valid: (
                    energy.masked_fill(~valid, -torch.inf).softmax(dim=-1).unsqueeze(-1) * slots
                ),
                "one embedding per item was expected: sum over the axis of slots",
            ),
        ),
    ),
    Exercise(
        name="05.mixture",
        solution=mixture,
        cases=((_OUTPUTS, torch.zeros(2, 3)), (_OUTPUTS, _LOGITS)),
        otherwise="these are not the sums weighted by the gate",
        why="All experts answer and the gate says how much each counts, anew for every item.",
        hints=(
            "First the gate: gate_logits.softmax(dim=-1), one weight per expert.",
            "Then a sum over experts of weight times output. einsum says it in one line: which"
            " letter disappears?",
        ),
        mistakes=(
            (
                lambda outputs, logits: torch.einsum("ie,ied->id", logits, outputs),
                "with all logits 0 the result is 0: are the logits used without a softmax?",
            ),
            (
                lambda outputs, logits: outputs[torch.arange(2), logits.argmax(dim=1)],
                "only the best expert counts in yours; here all of them do, by their weights",
            ),
            (
                lambda outputs, logits: torch.einsum("ie,ied->id", logits.softmax(dim=0), outputs),
                "your softmax runs over the items; it should run over the experts of one item",
            ),
            (
                lambda outputs, logits: torch.einsum("ie,ied->id", logits.exp(), outputs),
                "with three equal logits each expert should count a third; yours count 1 each",
            ),
        ),
    ),
    Exercise(
        name="05.may_look",
        solution=may_look,
        cases=((4,),),
        otherwise="position k sees 0, 1, ..., k and nothing else",
        why="This triangle is what makes one pass worth as many as there are prefixes.",
        hints=(
            "Row k belongs to the position that looks. Which columns may it see?",
            "torch.ones(n, n, dtype=torch.bool) has a method .tril(), and another, .triu().",
        ),
        mistakes=(
            (
                lambda time: may_look(time).tril(-1),
                "a position may look at itself; in yours position 0 sees nothing at all",
            ),
            (
                lambda time: may_look(time).T,
                "position 0 sees all the others in yours: rows are who looks, columns at whom",
            ),
            (lambda time: ~may_look(time), "this is the opposite: True means that k may look"),
            (lambda time: may_look(time).float(), "True and False were expected, not numbers"),
        ),
    ),
    Exercise(
        name="05.parameters",
        solution=201_216,
        starter="parameters = ...  # D = 384, d = 64, 8 experts",
        otherwise="count the maps, the biases, the layer norms and the gate",
        why="Two adaptors of this size hold most of the model. There it learns to read BERT's"
        " embeddings in terms of the dataset.",
        hints=(
            "Count for one expert: a matrix D x d, a bias of d, a layer norm with scale and shift.",
            "Eight experts, and a gate that maps D numbers to 8, without a bias.",
        ),
        mistakes=(
            (_MAPS, "these are the weights of the eight maps alone; what else is there?"),
            (
                _MAPS + 64 * 8 + _GATE,
                "you have the eight maps and the gate; a layer norm has two numbers for each of"
                " its d",
            ),
            (
                _MAPS + 64 * 8 + 2 * 64 * 8,
                "you have the eight experts; the gate reads D numbers and gives one for each",
            ),
            (
                _MAPS + 64 * 8 + 2 * 64 + _GATE,
                "you count one layer norm; every expert has a layer norm",
            ),
        ),
    ),
)
