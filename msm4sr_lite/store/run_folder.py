"""Open a run folder: one process at a time, and without the remains of killed ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from filelock import FileLock, Timeout

from msm4sr_lite.config import UserError
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.store.files import cannot_write, recover

LOCK = ".lock"


F = TypeVar("F", bound=Callable[..., Any])


def in_run_folder(folder_of: Callable[..., Path | None]) -> Callable[[F], F]:
    """Return a decorator: the function runs in an open run folder.

    ``folder_of`` is called with the arguments of the function and returns the folder.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        def run(*args: Any, **options: Any) -> Any:
            with open_run_folder(folder_of(*args, **options)):
                return function(*args, **options)

        return cast(F, run)

    return decorate


@contextmanager
def open_run_folder(folder: Path | None) -> Iterator[None]:
    """Lock a run folder while it is written, and clean up after processes that were killed.

    The operating system releases the lock when a process ends, however it ends. A process can open
    a folder again that it has already opened. Of several processes that torchrun started, the first
    one holds the lock for all.

    Parameters
    ----------
    folder
        The run folder, which is made if it is missing; None: nothing is locked.

    Raises
    ------
    UserError
        If another process has opened the folder, or it cannot be written.
    """
    if folder is None or not is_first():
        yield
        return
    was_missing = not folder.exists()
    lock = FileLock(folder.resolve() / LOCK, timeout=0, is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{folder}: another process (or thread) is using this run folder; wait until it has"
            f" ended, or choose another folder"
        ) from None
    except NotImplementedError:
        raise UserError(f"{folder}: its file system cannot lock files; choose another") from None
    except (OSError, ValueError) as error:
        raise cannot_write(folder, error) from None
    try:
        if lock.lock_counter == 1:
            recover(folder, remove="all")
        yield
    finally:
        if lock.lock_counter == 1:
            # A waiting process notices that the file is gone, and makes another one. On Windows,
            # releasing the lock removes the file.
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()
        if was_missing:  # rmdir fails, as it should, if something was written
            with suppress(OSError):
                folder.rmdir()
