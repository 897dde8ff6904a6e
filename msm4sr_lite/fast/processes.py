"""Several processes under ``torchrun``: joining them, and ending when one of them ends."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from msm4sr_lite.config import UserError

TOGETHER = ("pretrain", "finetune", "evaluate")


def is_first() -> bool:
    """Return whether this process speaks and writes; alone it always does."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(args: argparse.Namespace) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; part when the command is over."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield
        return
    if args.command not in TOGETHER:
        raise UserError(
            f"`{args.command}` runs in one process; under torchrun there are {', '.join(TOGETHER)}"
        )
    import torch
    import torch.distributed as dist

    on_gpu = args.device != "cpu" and torch.cuda.is_available()
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
            f"another process of this run has ended ({str(error).splitlines()[0]}); start the same"
            f" command again, it goes on from the last state"
        ) from error
    finally:
        dist.destroy_process_group()


class Stop:
    """Notes Ctrl-C and the request to terminate, so that work can stop between two steps.

    A second Ctrl-C stops at once.
    """

    def __init__(self) -> None:
        self.asked = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, self.before[number])

    def __enter__(self) -> Stop:
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
