"""What the encoders have worked out already, in one file that survives any stop.

A vector is filed under the hash of what it was made of: a picture's bytes, or a sentence. So equal
pictures and sentences are encoded once, and after a change only what is new is encoded. The file is
an SQLite database: a vector is in it whole or not at all, whenever the process or the machine dies.
It only saves time; deleting it loses nothing else.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from msm4sr_lite.config import UserError

_TABLES = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB, checksum INTEGER);
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER, time INTEGER, key BLOB);
"""
_MANY = 500  # keys in one query


def content_key(content: bytes) -> bytes:
    """Return the 16 bytes under which the vector of ``content`` is filed."""
    return hashlib.blake2b(content, digest_size=16).digest()


class EmbeddingCache:
    """Vectors of one encoder by the hash of their content. One process at a time may open it.

    Parameters
    ----------
    path
        The database; it is made where there is none. ``:memory:`` keeps nothing.
    dtype
        Type of the vectors, ``float16`` or ``float32``.

    Raises
    ------
    UserError
        From every method, with the mend, if the file is in use, damaged, or cannot be written.
    """

    def __init__(self, path: Path | str, dtype: str = "float16") -> None:
        self.path, self.dtype = Path(path), np.dtype(dtype)
        self._lock = threading.Lock()  # workers ask while the model's thread writes
        with self._told():
            if str(path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
        try:
            with self._told():
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._base.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT")
        except UserError:
            self._base.close()
            raise

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()  # what was not committed is forgotten

    def __contains__(self, key: bytes) -> bool:
        with self._told():
            query = "SELECT 1 FROM vectors WHERE key = ?"
            return self._base.execute(query, (key,)).fetchone() is not None

    def read(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return the vectors of those keys that are known, each of shape ``(width,)``."""
        found = {}
        for key, vector, checksum in self._select(
            "key, vector, checksum FROM vectors", "key", keys
        ):
            if zlib.crc32(vector) != checksum:
                raise UserError(f"{self.path}: damaged; {_DELETE}")
            found[key] = np.frombuffer(vector, dtype=self.dtype)
        return found

    def add(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Keep vectors ``(keys, width)`` and the files noted so far, all or none, for good."""
        rows = [np.ascontiguousarray(row, dtype=self.dtype).tobytes() for row in vectors]
        with self._told():
            self._base.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                [(key, row, zlib.crc32(row)) for key, row in zip(keys, rows, strict=True)],
            )
        self.commit()

    def commit(self) -> None:
        """Keep the files noted so far for good."""
        with self._told():
            self._base.commit()

    def note_file(self, name: str, stamp: Sequence[int] | None, key: bytes | None) -> None:
        """Note what a file with this size and time holds (None: nothing of use)."""
        size, time = stamp or (None, None)
        with self._told():
            self._base.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (name, size, time, key)
            )

    def file_key(self, name: str, stamp: Sequence[int]) -> bytes | None:
        """Return what is noted of a file, if its size and time are still the same."""
        query = "SELECT key FROM files WHERE name = ? AND size = ? AND time = ?"
        with self._told():
            row = self._base.execute(query, (name, *stamp)).fetchone()
        return row[0] if row else None

    def file_keys(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return ``name -> key`` of those files that hold something of use."""
        return {
            name: key for name, key in self._select("name, key FROM files", "name", names) if key
        }

    def _select(self, what: str, column: str, values: Iterable[object]) -> Iterator[tuple]:
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), _MANY):
            some = wanted[start : start + _MANY]
            places = ",".join("?" * len(some))
            with self._told():
                rows = self._base.execute(
                    f"SELECT {what} WHERE {column} IN ({places})", some
                ).fetchall()
            yield from rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Hold the lock; turn what goes wrong with the file into a line for the user."""
        try:
            with self._lock:
                yield
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); {_MOVE}") from None
        except sqlite3.DatabaseError as error:
            mend = _MENDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            raise UserError(f"{self.path}: {mend or f'damaged ({error}); {_DELETE}'}") from None


_MOVE = "mend that, or give another --out"
_DELETE = "delete this file and run again: only time is lost"
_MENDS = {
    sqlite3.SQLITE_BUSY: "in use by another run; wait for it, or give another --out",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again, finished work is kept",
    sqlite3.SQLITE_READONLY: f"cannot be written (read-only); {_MOVE}",
    sqlite3.SQLITE_CANTOPEN: f"cannot be opened or written; {_MOVE}",
    sqlite3.SQLITE_IOERR: f"the disk cannot be read or written; {_MOVE}",
}
