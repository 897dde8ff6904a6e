"""Open a run folder: one process at a time, and without the remains of killed ones."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from msm4sr_lite.config import UserError
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.store.files import cannot_write, recover

LOCK = ".lock"


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
    is_new = not folder.exists()
    lock = FileLock(folder.resolve() / LOCK, timeout=0, is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{folder}: another process is using this run folder; wait until it has ended, or"
            f" choose another folder"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        if lock.lock_counter == 1:
            recover(folder, alone=True)
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # on Windows, releasing the lock removes the file
                Path(lock.lock_file).unlink()
        lock.release()
        if is_new:  # and nothing was written
            with suppress(OSError):
                folder.rmdir()
