"""Run a command in a child process that is stopped at a chosen moment, by a signal or a full disk.

A moment is a call that changes the disk: a file is opened for writing, flushed, renamed or removed,
a folder is made or removed, weights are written. A step of a training is one too. The moments of a
command are the same each time, so every stop can be repeated.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("replace", "rename", "fsync", "mkdir", "unlink", "remove", "rmdir", "link")
LIMIT = 120  # seconds of a child


@dataclass(frozen=True)
class Stop:
    """How and when a command is stopped.

    Attributes
    ----------
    moment
        Number of the call, from 1; 0: never.
    by
        A signal, or ``"full"``: this call and all later ones find no space on the disk;
        ``"once"``: only this call does.
    torn
        Whether a file that is opened at this moment first gets a few bytes.
    often
        Whether the state of a training is written after every step, not every two minutes.
    """

    moment: int = 0
    by: signal.Signals | str = signal.SIGKILL
    torn: bool = False
    often: bool = False


class Disk:
    """Counts the moments of a process, and stops it."""

    def __init__(self, stop: Stop) -> None:
        self.stop, self.count, self.real_open = stop, 0, io.open

    def moment(self, path: Any = None, opened: Callable[[], Any] | None = None) -> None:
        """Count a moment; stop there if it is the one."""
        self.count += 1
        stop = self.stop
        full = stop.by in ("full", "once")
        if not stop.moment or self.count < stop.moment:
            return
        if self.count > stop.moment and stop.by != "full":
            return
        if stop.torn and opened and self.count == stop.moment:
            with opened() as stream:
                half: Any = b"\x93half" if "b" in getattr(stream, "mode", "b") else "half"
                stream.write(half)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        os.kill(os.getpid(), stop.by)  # type: ignore[arg-type]

    def install(self) -> None:
        """Count the calls of this process from now on."""
        for name in NAMES:
            setattr(os, name, self._counted(getattr(os, name), name))
        builtins.open = io.open = self._open
        import safetensors.torch as weights

        # transformers saves an encoder with it; the library itself writes bytes.
        weights.serialize_file = self._counted(weights.serialize_file, "serialize_file")

        from torch.optim.optimizer import register_optimizer_step_post_hook

        register_optimizer_step_post_hook(self._step)
        if self.stop.often:
            from msm4sr_lite.store.training_files import StateFile

            StateFile.__init__.__defaults__ = (0.0,)  # type: ignore[misc]

    def _step(self, *_: Any) -> None:
        if self.stop.by not in ("full", "once"):  # a step needs no space
            self.moment()

    def _counted(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        frees = name in ("unlink", "remove", "rmdir", "replace", "rename", "fsync")

        def counted(*words: Any, **options: Any) -> Any:
            path = words[0] if words and isinstance(words[0], (str, os.PathLike)) else None
            if self.stop.by in ("full", "once") and frees and name != "fsync":
                return call(*words, **options)  # needs no space
            self.moment(path)
            return call(*words, **options)

        return counted

    def _open(self, file: Any, mode: str = "r", *words: Any, **options: Any) -> Any:
        path = str(file)
        if set(mode) & set("wax+") and not path.startswith(("/dev", "/proc")):
            self.moment(path, lambda: self.real_open(file, mode, *words, **options))
        return self.real_open(file, mode, *words, **options)


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (negative: by this signal), output, moments counted."""

    code: int
    out: str
    err: str
    moments: int


def in_child(act: Callable[[], int], limit: int = LIMIT) -> tuple[int, str, str]:
    """Run a function in a forked process; return its exit code, stdout and stderr."""
    files = [os.memfd_create("out"), os.memfd_create("err")]
    sys.stdout.flush(), sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that hold no locks of ours
        child = os.fork()
    if not child:
        code = 99
        try:
            os.dup2(files[0], 1), os.dup2(files[1], 2)
            sys.stdout = io.TextIOWrapper(
                io.FileIO(1, "w", closefd=False), "utf-8", line_buffering=True
            )
            sys.stderr = io.TextIOWrapper(
                io.FileIO(2, "w", closefd=False), "utf-8", line_buffering=True
            )
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                signal.signal(number, usual)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(limit)
            code = act()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 98
        except BaseException:
            code = 1
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    texts = []
    for file in files:
        size = os.lseek(file, 0, os.SEEK_END)
        texts.append(os.pread(file, size, 0).decode("utf-8", "replace"))
        os.close(file)
    return os.waitstatus_to_exitcode(status), texts[0], texts[1]


def run_stopped(words: Sequence[str], stop: Stop = Stop(), biggest_file: int = 0) -> Ended:
    """Run ``msm4sr`` in a child process and stop it.

    Parameters
    ----------
    words
        The command.
    stop
        How and when it is stopped.
    biggest_file
        Bytes that a file can have, a limit of the operating system; 0: no limit.
    """
    counter = os.memfd_create("moments")

    def act() -> int:
        from msm4sr_lite.cli import main

        disk = Disk(stop)
        disk.install()
        if biggest_file:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (biggest_file, biggest_file))
        try:
            return main(words)
        finally:
            os.pwrite(counter, str(disk.count).encode(), 0)

    code, out, err = in_child(act)
    counted = os.pread(counter, 20, 0)
    os.close(counter)
    return Ended(code, out, err, int(counted or b"0"))


def count_moments(words: Sequence[str], often: bool = False) -> int:
    """Run a command undisturbed; return how many moments it has."""
    ended = run_stopped(words, Stop(often=often))
    if ended.code:
        raise RuntimeError(f"{' '.join(words)}: exit code {ended.code}: {ended.err}")
    return ended.moments


def files_in(folder: Path) -> list[str]:
    """Return the names of all files and folders in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
