"""Train one model in several processes: divide the rows, and combine the results.

A batch is divided among the processes. They exchange the embeddings that the losses compare
(``GatherRows``), and PyTorch's ``DistributedDataParallel`` averages the gradients.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def process_rank() -> tuple[int, int]:
    """Return the rank of this process and the number of processes: (0, 1) without torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def row_ranges(count: int) -> list[slice]:
    """Divide ``count`` rows among the processes: one consecutive range per process."""
    _, world = process_rank()
    return [slice(count * r // world, count * (r + 1) // world) for r in range(world)]


class Objective(nn.Module):
    """A loss as a module's forward pass, which ``DistributedDataParallel`` needs."""

    def __init__(self, model: nn.Module, loss_of: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.forward = model, loss_of


def synchronize_gradients(objective: nn.Module) -> nn.Module:
    """Return a module that averages gradients over all processes in its backward pass."""
    if process_rank()[1] == 1:
        return objective
    return nn.parallel.DistributedDataParallel(objective)


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean over all processes, the same in each."""
    _, world = process_rank()
    values = values / world
    if world > 1:
        dist.all_reduce(values)
    return values


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum over all processes, the same in each, on the CPU."""
    if process_rank()[1] > 1:
        values = values.cuda() if dist.get_backend() == "nccl" else values
        dist.all_reduce(values)
    return values.cpu()


class GatherRows(torch.autograd.Function):
    """Gather the rows of all processes, one process after the other.

    Every process then computes the same joint loss, and the gradient of its local rows is complete.
    It is multiplied by the number of processes, since the gradients of weights are averaged later.
    """

    @staticmethod
    def forward(ctx: Any, local: Tensor, sizes: list[int]) -> Tensor:
        """Return all rows; ``sizes`` are the numbers of rows of all processes."""
        before = sum(sizes[: process_rank()[0]])
        ctx.local, ctx.world = slice(before, before + len(local)), len(sizes)
        padded = local.new_zeros(max(sizes), *local.shape[1:])
        padded[: len(local)] = local
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the local rows."""
        return gradient[ctx.local] * ctx.world, None
