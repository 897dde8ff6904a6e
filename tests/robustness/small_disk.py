"""A file system of a few kilobytes, which only the process that asked for it can see (Linux)."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

from tests.robustness.stops import in_child

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000  # flags of unshare(2)
PRIVATE, RECURSIVE, REMOUNT = 1 << 18, 1 << 14, 1 << 5  # flags of mount(2)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(folder: Path, size: int, again: bool = False) -> None:
    """Mount an empty file system of so many bytes, or change the size of the mounted one."""
    system = ctypes.CDLL(None, use_errno=True)
    if not again:
        mine = NEW_MOUNTS if os.geteuid() == 0 else NEW_MOUNTS | NEW_USER
        _check(system.unshare(mine))
        _check(system.mount(None, b"/", None, PRIVATE | RECURSIVE, None))
    flags, options = REMOUNT if again else 0, f"size={size}".encode()
    _check(system.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options))


@cache
def can_mount(folder: Path) -> bool:
    """Return whether this process may mount file systems for itself."""

    def attempt() -> int:
        mount(folder, 1 << 16)
        return 0

    return sys.platform == "linux" and in_child(attempt)[0] == 0
