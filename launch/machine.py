"""What this machine offers: Python, disk space, and how large a set-up will be."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from launch.console import SetupError, say

OLDEST_PYTHON = (3, 11)
COURSE, DEV = "course", "course,parquet,dev"  # the extras that `lab` and that `test` need

# Sums over the files: GB to download, GB on disk. "cpu" stands for torch from an index of the
# user's choice; the usual build for Linux carries CUDA.
PACKAGES_SIZE = {COURSE: (0.25, 1.2), DEV: (0.47, 1.8)}
TORCH_SIZE = {
    "Linux": (2.74, 4.8),
    "Darwin": (0.11, 0.5),
    "Windows": (0.12, 0.5),
    "cpu": (0.2, 0.8),
}


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that the pinned packages do not support."""
    if version[:2] < OLDEST_PYTHON:
        raise SetupError(
            f"Python 3.11 or newer is needed; this is {version[0]}.{version[1]} "
            f"({sys.executable}); start run.py with a newer one, e.g. python3.12 run.py setup"
        )


def set_up_size(extras: str, torch: str, there: str) -> tuple[float, float]:
    """Return GB to download and GB on disk.

    Parameters
    ----------
    extras
        ``COURSE`` or ``DEV``.
    torch
        A key of TORCH_SIZE; an unknown system counts as "cpu".
    there
        Extras of an earlier set-up, which is added to; "" if there is none.
    """
    new = PACKAGES_SIZE[extras]
    old = PACKAGES_SIZE[there] if there else (0.0, 0.0)
    own = (0.0, 0.0) if there else TORCH_SIZE.get(torch, TORCH_SIZE["cpu"])
    return new[0] - old[0] + own[0], new[1] - old[1] + own[1]


def announce(extras: str, torch_index: str, there: str) -> None:
    """Say what is about to be downloaded."""
    torch = "cpu" if torch_index else platform.system()
    size = "  about {:.1f} GB to download, {:.1f} GB on disk"
    if there == extras:
        say("  only what is missing or has changed is downloaded")
    else:
        say(size.format(*set_up_size(extras, torch, there)))
    if torch == "Linux" and not there:
        say("  Most of that is CUDA, part of PyTorch's usual build for Linux. No NVIDIA GPU here?")
        say("  --torch-index URL, with the CPU address from pytorch.org/get-started, makes it")
        say(size.format(*set_up_size(extras, "cpu", there)))


def check_disk(folder: Path, extras: str, there: str) -> None:
    """Refuse to begin what cannot end: not even the smallest build of torch would fit."""
    need = sum(set_up_size(extras, "cpu", there))
    free = shutil.disk_usage(folder).free / 1e9
    if free < need:
        raise SetupError(
            f"no disk space: {need:.1f} GB are needed in {folder}, {free:.1f} GB are free; "
            "make room and run the same command again"
        )
