"""Join the processes that ``torchrun`` starts, and stop all of them when one ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from msm4sr_lite.config import UserError
from msm4sr_lite.printable import first_line


def is_first() -> bool:
    """Return whether this is the first process, which alone prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def world_size() -> int:
    """Return the number of processes that torchrun has started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined(device: str = "auto") -> Iterator[None]:
    """Join the processes that torchrun started, if any, and leave them when the work is done."""
    if world_size() == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
        dist.barrier()  # nobody leaves while the first process still writes
    except UserError:
        raise
    except RuntimeError as error:
        raise UserError(
            f"another process of this run has ended ({first_line(error)}); start the same"
            f" command again, it resumes from the last state"
        ) from error
    finally:
        dist.destroy_process_group()
