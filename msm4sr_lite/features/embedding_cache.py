"""Keep the embeddings that encoders have computed in a file that survives any stop.

An embedding is stored under the hash of its input: an image's bytes, or a sentence. Equal images
and sentences are therefore encoded once, and after a change only new inputs are encoded. The file
is an SQLite database. Whenever the process or the machine stops, an embedding is in it completely
or not at all. The cache only saves time and can be deleted.
"""

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.store.fingerprint import fingerprint, versions


def content_key(content: bytes) -> bytes:
    """Return the 16 bytes under which the embedding of ``content`` is stored."""
    return hashlib.blake2b(content, digest_size=16).digest()


class EmbeddingCache:
    """Embeddings of one encoder by the hash of their input.

    Parameters
    ----------
    base
        A connection to the database.
    dtype
        Type of the embeddings, ``float16`` or ``float32``.

    Examples
    --------
    >>> cache = EmbeddingCache(sqlite3.connect(":memory:"), "float16")
    >>> cache.add([content_key(b"a cup")], np.ones((1, 2)))
    >>> content_key(b"a cup") in cache, content_key(b"a mug") in cache
    (True, False)
    """

    def __init__(self, base: sqlite3.Connection, dtype: str) -> None:
        self._base, self._dtype = base, np.dtype(dtype)
        self._lock = threading.Lock()  # worker threads look up while the model's thread writes
        columns = "key BLOB PRIMARY KEY, embedding BLOB, checksum INTEGER"
        table = f"CREATE TABLE IF NOT EXISTS embeddings ({columns})"
        base.executescript(f"BEGIN EXCLUSIVE; {table}; COMMIT")  # fails if another process has it

    def _find(self, key: bytes) -> Any:
        with self._lock:
            query = "SELECT embedding, checksum FROM embeddings WHERE key = ?"
            return self._base.execute(query, (key,)).fetchone()

    def __contains__(self, key: bytes) -> bool:
        return self._find(key) is not None

    def read(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the embeddings of known keys, ``(keys, width)``."""
        rows = [self._find(key) for key in keys]
        try:
            if any(_checksum(k, row[0]) != row[1] for k, row in zip(keys, rows, strict=True)):
                raise ValueError
            return np.stack([np.frombuffer(embedding, self._dtype) for embedding, _ in rows])
        except (ValueError, TypeError):  # TypeError: a number or a text in place of bytes
            raise sqlite3.DatabaseError("damaged") from None

    def add(self, keys: Sequence[bytes], embeddings: np.ndarray) -> None:
        """Store embeddings ``(keys, width)`` permanently, all or none.

        Raises
        ------
        UserError
            If an embedding is not finite.
        """
        with np.errstate(over="ignore"):
            embeddings = np.asarray(embeddings, dtype=self._dtype)
        if not np.isfinite(embeddings).all():
            raise UserError(f"embeddings that are not finite in {self._dtype}; use another encoder")
        blobs = [row.tobytes() for row in embeddings]
        rows = [(k, blob, _checksum(k, blob)) for k, blob in zip(keys, blobs, strict=True)]
        with self._lock, self._base:
            self._base.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)


def check_cache(path: Path) -> None:
    """Read every embedding of a cache.

    Raises
    ------
    UserError
        If the file cannot be read, or an embedding has changed since it was stored.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            for key, embedding, checksum in base.execute("SELECT * FROM embeddings"):
                if _checksum(key, embedding) != checksum:
                    raise ValueError
    except (sqlite3.Error, TypeError, ValueError) as error:
        reason = str(error) or "damaged"
        raise UserError(f"{path}: {reason}; delete this file; only time is lost") from None


def _checksum(key: bytes, embedding: bytes) -> int:
    return zlib.crc32(embedding, zlib.crc32(key))


@contextmanager
def open_cache(
    folder: Path, kind: str, encoder: dict[str, Any], dtype: str
) -> Iterator[EmbeddingCache]:
    """Open the cache of exactly this encoder; on success, delete the caches of other encoders.

    Only one process at a time can open it.

    Parameters
    ----------
    folder
        Folder of the caches.
    kind
        What is encoded: ``images`` or ``sentences``.
    encoder
        Description of the encoder. A cache belongs to the identity in it and to the versions of the
        libraries, since both decide the embeddings.
    dtype
        Type of the embeddings, ``float16`` or ``float32``.

    Raises
    ------
    UserError
        If the file is in use, damaged, or cannot be written.
    """
    libraries = versions("torch", "transformers", "tokenizers", "pillow")
    path = folder / f"{kind}-{fingerprint([encoder['identity'], libraries])}.sqlite"
    with suppress(OSError):  # then the database cannot be opened either
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=1.0, check_same_thread=False)) as base:
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            yield EmbeddingCache(base, dtype)
    except sqlite3.Error as error:
        remedy = "free disk space or delete this file, then run again; only time is lost"
        if "locked" in str(error):
            remedy = "in use by another run; wait for it, or choose another run folder"
        raise UserError(f"{path}: {error}; {remedy}") from None
    for other in folder.glob(f"{kind}-*"):
        if not other.name.startswith(path.name):
            with suppress(OSError):
                other.unlink()
