"""What the encoders have computed already, in one file that survives any stop.

An embedding is stored under the hash of its input: an image's bytes, or a sentence. So equal images
and sentences are encoded once, and after a change only what is new is encoded. The file is an
SQLite database: an embedding is in it whole or not at all, whenever the process or the machine
stops. The cache only saves time; deleting it loses nothing else.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.store.fingerprint import fingerprint

_TABLES = """
CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, embedding BLOB, checksum INTEGER);
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER, time INTEGER, key BLOB);
"""
_MANY = 500  # keys in one query


def content_key(content: bytes) -> bytes:
    """Return the 16 bytes under which the embedding of ``content`` is stored."""
    return hashlib.blake2b(content, digest_size=16).digest()


@contextmanager
def open_cache(
    folder: Path, kind: str, encoded_by: list[Any], dtype: str
) -> Iterator[EmbeddingCache]:
    """Open the cache of exactly this encoder; on success, delete those of other encoders.

    Parameters
    ----------
    folder
        Where the caches are.
    kind
        What is encoded: ``images`` or ``sentences``.
    encoded_by
        What determines the embeddings: the encoder's hashes and the versions of libraries.
    dtype
        Type of the embeddings, ``float16`` or ``float32``.
    """
    path = folder / f"{kind}-{fingerprint(encoded_by)}.sqlite"
    with EmbeddingCache(path, dtype) as cache:
        yield cache
    for other in folder.glob(f"{kind}-*"):
        if not other.name.startswith(path.name):
            other.unlink(missing_ok=True)


class EmbeddingCache:
    """Embeddings of one encoder by the hash of their input. One process at a time may open it.

    Parameters
    ----------
    path
        The database; it is created if it does not exist. ``:memory:`` keeps nothing.
    dtype
        Type of the embeddings, ``float16`` or ``float32``.

    Raises
    ------
    UserError
        From every method, with a remedy, if the file is in use, damaged, or cannot be written.

    Examples
    --------
    >>> with EmbeddingCache(":memory:") as cache:
    ...     cache.add([content_key(b"a cup")], np.ones((1, 2)))
    ...     content_key(b"a cup") in cache, content_key(b"a mug") in cache
    (True, False)
    """

    def __init__(self, path: Path | str, dtype: str = "float16") -> None:
        self.path, self.dtype = Path(path), np.dtype(dtype)
        self._lock = threading.Lock()  # worker threads read while the model's thread writes
        with self._guarded():
            if str(path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
        try:
            with self._guarded():
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._base.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT")
        except UserError:
            self._base.close()
            raise

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()  # what was not committed is dropped

    def __contains__(self, key: bytes) -> bool:
        with self._guarded():
            query = "SELECT 1 FROM embeddings WHERE key = ?"
            return self._base.execute(query, (key,)).fetchone() is not None

    def read(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return the embeddings of those keys that are known, each of shape ``(width,)``."""
        found = {}
        columns = "key, embedding, checksum FROM embeddings"
        for key, embedding, checksum in self._select(columns, "key", keys):
            if zlib.crc32(embedding) != checksum:
                raise UserError(f"{self.path}: damaged; {_DELETE}")
            found[key] = np.frombuffer(embedding, dtype=self.dtype)
        return found

    def add(self, keys: Sequence[bytes], embeddings: np.ndarray) -> None:
        """Store embeddings ``(keys, width)`` and the files noted so far for good, all or none."""
        rows = [np.ascontiguousarray(row, dtype=self.dtype).tobytes() for row in embeddings]
        with self._guarded():
            self._base.executemany(
                "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)",
                [(key, row, zlib.crc32(row)) for key, row in zip(keys, rows, strict=True)],
            )
        self.commit()

    def commit(self) -> None:
        """Store the files noted so far for good."""
        with self._guarded():
            self._base.commit()

    def note_file(self, name: str, stamp: Sequence[int] | None, key: bytes | None) -> None:
        """Note the key of a file with this size and time; None if the file cannot be used."""
        size, time = stamp or (None, None)
        with self._guarded():
            self._base.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (name, size, time, key)
            )

    def file_key(self, name: str, stamp: Sequence[int]) -> bytes | None:
        """Return the key noted for a file, if its size and time are still the same."""
        query = "SELECT key FROM files WHERE name = ? AND size = ? AND time = ?"
        with self._guarded():
            row = self._base.execute(query, (name, *stamp)).fetchone()
        return row[0] if row else None

    def file_keys(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return ``name -> key`` of those files that can be used."""
        return {
            name: key for name, key in self._select("name, key FROM files", "name", names) if key
        }

    def _select(self, what: str, column: str, values: Iterable[object]) -> Iterator[tuple]:
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), _MANY):
            some = wanted[start : start + _MANY]
            places = ",".join("?" * len(some))
            with self._guarded():
                rows = self._base.execute(
                    f"SELECT {what} WHERE {column} IN ({places})", some
                ).fetchall()
            yield from rows

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold the lock; turn what goes wrong with the file into a line for the user."""
        try:
            with self._lock:
                yield
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); {_MOVE}") from None
        except sqlite3.DatabaseError as error:
            remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            raise UserError(f"{self.path}: {remedy or f'damaged ({error}); {_DELETE}'}") from None


_MOVE = "fix that, or choose another run folder"
_DELETE = "delete this file and run again: only time is lost"
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "in use by another run; wait for it, or choose another run folder",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again, finished work is kept",
    sqlite3.SQLITE_READONLY: f"cannot be written (read-only); {_MOVE}",
    sqlite3.SQLITE_CANTOPEN: f"cannot be opened or written; {_MOVE}",
    sqlite3.SQLITE_IOERR: f"the disk cannot be read or written; {_MOVE}",
}
