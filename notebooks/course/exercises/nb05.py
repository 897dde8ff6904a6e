"""Exercises of notebook 05: pooling, gating, the causal mask, and counting parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.checks import Exercise, expect, expect_close

# --- 05.pool --------------------------------------------------------------------------------


def pool(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    """Return one vector per item: a weighted sum of its real slots.

    energy: shape (items, slots); slots: shape (items, slots, D);
    valid: shape (items, slots), True where a slot is real. Every item has a real slot.
    Result: shape (items, D). The weights of an item's real slots sum to 1.
    """
    weights = energy.masked_fill(~valid, -torch.inf).softmax(dim=-1)
    return (weights.unsqueeze(-1) * slots).sum(dim=1)


def _grade_pool(attempt: Callable[..., Any]) -> None:
    energy = torch.tensor([[0.0, 1.0, 5.0], [2.0, -1.0, 0.5]])
    valid = torch.tensor([[True, True, False], [True, True, True]])
    slots = torch.arange(12.0).reshape(2, 3, 2) + 1
    slots[0, 2] = 99.0  # padding: whatever it holds must not matter
    got = attempt(energy.clone(), slots.clone(), valid.clone())
    shape = tuple(getattr(got, "shape", ()))
    expect(shape == (2, 2), f"one vector per item, shape (2, 2), was expected; yours is {shape}")
    open_softmax = (energy.softmax(dim=-1).unsqueeze(-1) * slots).sum(dim=1)
    expect(
        not torch.allclose(got, open_softmax),
        "item 0 has two real slots, yet its padding takes part in the softmax",
    )
    zeroed = ((energy * valid).softmax(dim=-1).unsqueeze(-1) * slots).sum(dim=1)
    expect(
        not torch.allclose(got, zeroed),
        "an energy of 0 is not 'no weight': e^0 = 1. Which energy gives a weight of 0?",
    )
    cut = ((energy.softmax(dim=-1) * valid).unsqueeze(-1) * slots).sum(dim=1)
    expect(
        not torch.allclose(got, cut),
        "the weights of item 0 do not sum to 1: padding was removed after the softmax",
    )
    across = (energy.masked_fill(~valid, -torch.inf).softmax(dim=0).unsqueeze(-1) * slots).sum(1)
    expect(
        not torch.allclose(got, across),
        "your softmax runs over the items; the shares are those of one item's slots",
    )
    expect_close(got, pool(energy, slots, valid), "these are not the weighted sums of real slots")


def _padding_counts(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    return pool(energy, slots, torch.ones_like(valid))


def _zero_energy(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    return pool(energy * valid, slots, torch.ones_like(valid))


def _masked_too_late(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    weights = energy.softmax(dim=-1) * valid
    return (weights.unsqueeze(-1) * slots).sum(dim=1)


def _over_items(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    weights = energy.masked_fill(~valid, -torch.inf).softmax(dim=0)
    return (weights.unsqueeze(-1) * slots).sum(dim=1)


def _plain_mean(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    return slots.sum(dim=1) / valid.sum(dim=1, keepdim=True)


def _not_summed(energy: Tensor, slots: Tensor, valid: Tensor) -> Tensor:
    return energy.masked_fill(~valid, -torch.inf).softmax(dim=-1).unsqueeze(-1) * slots


# --- 05.mixture -----------------------------------------------------------------------------


def mixture(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    """Return the gated sum of the experts.

    outputs: shape (items, experts, d); gate_logits: shape (items, experts).
    The gate is the softmax over the experts of an item. Result: shape (items, d).
    """
    gate = gate_logits.softmax(dim=-1)
    return torch.einsum("ie,ied->id", gate, outputs)


def _grade_mixture(attempt: Callable[..., Any]) -> None:
    outputs = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [3.0, 3.0]], [[2.0, 2.0], [4.0, 0.0], [0, 6]]])
    logits = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.0]])
    got = attempt(outputs.clone(), logits.clone())
    shape = tuple(getattr(got, "shape", ()))
    expect(shape == (2, 2), f"shape (items, d) = (2, 2) was expected; yours is {shape}")
    even = attempt(outputs.clone(), torch.zeros(2, 3))
    expect(
        not torch.allclose(even, outputs.sum(dim=1)),
        "with three equal logits each expert should count a third; yours count 1 each",
    )
    expect(
        not torch.allclose(even, torch.zeros(2, 2)),
        "with all logits 0 the result is 0: are the logits used without a softmax?",
    )
    best = outputs[torch.arange(2), logits.argmax(dim=1)]
    expect(
        not torch.allclose(got, best),
        "only the best expert counts in yours; here all of them do, by their shares",
    )
    expect_close(even, outputs.mean(dim=1), "with equal logits the result should be the mean")
    expect_close(got, mixture(outputs, logits), "these are not the sums weighted by the gate")


def _logits_as_weights(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    return torch.einsum("ie,ied->id", gate_logits, outputs)


def _only_the_best(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    return outputs[torch.arange(len(outputs)), gate_logits.argmax(dim=1)]


def _softmax_over_items(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    return torch.einsum("ie,ied->id", gate_logits.softmax(dim=0), outputs)


def _sum_not_mean(outputs: Tensor, gate_logits: Tensor) -> Tensor:
    return torch.einsum("ie,ied->id", gate_logits.exp(), outputs)


# --- 05.may_look ----------------------------------------------------------------------------


def may_look(time: int) -> Tensor:
    """Return who may look at whom: [k, j] is True where position k may look at j.

    A position sees itself and what came before it. Result: shape (time, time), bool.
    """
    return torch.ones(time, time, dtype=torch.bool).tril()


def _grade_may_look(attempt: Callable[..., Any]) -> None:
    got = attempt(4)
    shape = tuple(getattr(got, "shape", ()))
    expect(shape == (4, 4), f"for time = 4 the shape should be (4, 4); yours is {shape}")
    expect(
        getattr(got, "dtype", None) == torch.bool,
        f"True and False were expected; your dtype is {getattr(got, 'dtype', 'none')}",
    )
    right = may_look(4)
    expect(
        not torch.equal(got, ~right),
        "this is the opposite: True should mean that k MAY look",
    )
    expect(
        not torch.equal(got, right.T),
        "position 0 sees all the others in yours: rows are who looks, columns at whom",
    )
    expect(
        bool(got.diagonal().all()),
        "a position may look at itself; in yours position 0 sees nothing at all",
    )
    expect(torch.equal(got, right), "not yet: position k sees 0, 1, ..., k and nothing else")


def _strictly_before(time: int) -> Tensor:
    return torch.ones(time, time, dtype=torch.bool).tril(-1)


def _transposed(time: int) -> Tensor:
    return torch.ones(time, time, dtype=torch.bool).triu()


def _hidden(time: int) -> Tensor:
    return ~may_look(time)


def _as_numbers(time: int) -> Tensor:
    return torch.ones(time, time).tril()


# --- 05.parameters --------------------------------------------------------------------------

parameters = 201_216


def _grade_parameters(attempt: Any) -> None:
    expect(
        isinstance(attempt, int) and not isinstance(attempt, bool),
        f"a whole number was expected; you gave {type(attempt).__name__}",
    )
    expect(
        attempt != 384 * 64 * 8,
        "these are the weights of the eight maps alone; what else is there?",
    )
    expect(
        attempt != 384 * 64 * 8 + 64 * 8 + 384 * 8,
        "you have the eight maps and the gate; a layer norm has two numbers for each of its d",
    )
    expect(
        attempt != 384 * 64 * 8 + 64 * 8 + 2 * 64 * 8,
        "you have the eight experts; the gate reads D numbers and gives one for each expert",
    )
    expect(
        attempt != 384 * 64 * 8 + 64 * 8 + 2 * 64 + 384 * 8,
        "you count one layer norm; every expert has its own",
    )
    expect(attempt == parameters, f"{attempt} is not the number of its parameters")


EXERCISES = (
    Exercise(
        name="05.pool",
        solution=pool,
        grade=_grade_pool,
        why="An item's vector now depends on its own slots alone, and not on how many sentences"
        " the wordiest product of the shop has.",
        hints=(
            "Padding must have no weight, and the others must sum to 1 all the same.",
            "A softmax gives weight 0 to an energy of minus infinity: energy.masked_fill(...).",
            "weights.unsqueeze(-1) * slots weighs every slot; sum over the axis of slots.",
        ),
        mistakes=(
            (_padding_counts, "its padding takes part"),
            (_zero_energy, "is not 'no weight'"),
            (_masked_too_late, "do not sum to 1"),
            (_over_items, "runs over the items"),
            (_plain_mean, "not the weighted sums"),
            (_not_summed, "one vector per item"),
        ),
    ),
    Exercise(
        name="05.mixture",
        solution=mixture,
        grade=_grade_mixture,
        why="All experts answer and the gate says how much each is listened to, anew for every"
        " item.",
        hints=(
            "First the gate: gate_logits.softmax(dim=-1), one share per expert.",
            "Then a sum over experts of share times output. einsum says it in one line: which"
            " letter disappears?",
        ),
        mistakes=(
            (_logits_as_weights, "without a softmax"),
            (_only_the_best, "only the best expert"),
            (_softmax_over_items, "the mean"),
            (_sum_not_mean, "yours count 1 each"),
        ),
    ),
    Exercise(
        name="05.may_look",
        solution=may_look,
        grade=_grade_may_look,
        why="This triangle is what makes one pass worth as many as there are prefixes.",
        hints=(
            "Row k belongs to the position that looks. Which columns may it see?",
            "torch.ones(n, n, dtype=torch.bool) has a method .tril(), and another, .triu().",
        ),
        mistakes=(
            (_strictly_before, "may look at itself"),
            (_transposed, "rows are who looks"),
            (_hidden, "the opposite"),
            (_as_numbers, "True and False were expected"),
        ),
    ),
    Exercise(
        name="05.parameters",
        solution=parameters,
        grade=_grade_parameters,
        starter="parameters = ...  # D = 384, d = 64, 8 experts",
        why="Two adapters of this size hold most of the model. That is where it learns to read"
        " BERT's language in a shop's terms.",
        hints=(
            "Count for one expert: a matrix D x d, a bias of d, a layer norm with scale and shift.",
            "Eight experts, and a gate that maps D numbers to 8, without a bias.",
        ),
        mistakes=(
            (384 * 64 * 8, "what else is there"),
            (384 * 64 * 8 + 64 * 8 + 384 * 8, "a layer norm has two numbers"),
            (384 * 64 * 8 + 64 * 8 + 2 * 64 * 8, "the gate reads D numbers"),
            (384 * 64 * 8 + 64 * 8 + 2 * 64 + 384 * 8, "every expert has its own"),
            (201216.0, "a whole number"),
        ),
    ),
)
