"""Which process of a distributed training this is, and which rows it owns."""

from __future__ import annotations

import torch.distributed as dist


def processes() -> tuple[int, int]:
    """Return the number of this process and how many train together: (0, 1) without torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def shares(count: int) -> list[slice]:
    """Return which of ``count`` rows each process owns: one block after the other."""
    _, world = processes()
    return [slice(count * r // world, count * (r + 1) // world) for r in range(world)]
