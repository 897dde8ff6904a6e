"""What the encoders have computed already, in one file that survives any stop.

An embedding is stored under the hash of its input: an image's bytes, or a sentence. So equal images
and sentences are encoded once, and after a change only what is new is encoded. The file is an
SQLite database: an embedding is in it whole or not at all, whenever the process or the machine
stops. The cache only saves time; deleting it loses nothing else.
"""

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.store.fingerprint import fingerprint, versions

_TABLE = "embeddings (key BLOB PRIMARY KEY, embedding BLOB, checksum INTEGER)"
_DECISIVE = ("weights", "config", "tokenizer", "processor", "pooling")
_DELETE = "delete this file and run again: only time is lost"


def content_key(content: bytes) -> bytes:
    """Return the 16 bytes under which the embedding of ``content`` is stored."""
    return hashlib.blake2b(content, digest_size=16).digest()


@contextmanager
def open_cache(
    folder: Path, kind: str, encoder: dict[str, Any], dtype: str
) -> "Iterator[EmbeddingCache]":
    """Open the cache of exactly this encoder; on success, delete those of other encoders.

    Parameters
    ----------
    folder
        Where the caches are.
    kind
        What is encoded: ``images`` or ``sentences``.
    encoder
        Its description. Hashes of the weights and the like determine the embeddings, as do the
        versions of the libraries.
    dtype
        Type of the embeddings, ``float16`` or ``float32``.
    """
    encoded_by = [encoder.get(part) for part in _DECISIVE]
    libraries = versions("torch", "transformers", "tokenizers", "pillow")
    path = folder / f"{kind}-{fingerprint([encoded_by, libraries])}.sqlite"
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
        self._lock = threading.Lock()  # worker threads look up while the model's thread writes
        with self._guarded():
            if str(path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
        try:
            with self._guarded():
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._base.executescript(
                    f"BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS {_TABLE}; COMMIT"
                )
        except UserError:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def _find(self, key: bytes) -> Any:
        with self._guarded():
            query = "SELECT embedding, checksum FROM embeddings WHERE key = ?"
            return self._base.execute(query, (key,)).fetchone()

    def __contains__(self, key: bytes) -> bool:
        return self._find(key) is not None

    def read(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the embeddings of known keys, ``(keys, width)``."""
        rows = []
        for key in keys:
            embedding, checksum = self._find(key) or (b"", None)
            if zlib.crc32(embedding) != checksum:
                raise UserError(f"{self.path}: damaged; {_DELETE}")
            rows.append(np.frombuffer(embedding, dtype=self.dtype))
        return np.stack(rows)

    def add(self, keys: Sequence[bytes], embeddings: np.ndarray) -> None:
        """Store embeddings ``(keys, width)`` for good, all or none."""
        rows = [np.ascontiguousarray(row, dtype=self.dtype).tobytes() for row in embeddings]
        with self._guarded():
            self._base.executemany(
                "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)",
                [(key, row, zlib.crc32(row)) for key, row in zip(keys, rows, strict=True)],
            )
            self._base.commit()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold the lock; turn what goes wrong with the file into a line for the user."""
        try:
            with self._lock:
                yield
        except (OSError, sqlite3.DatabaseError) as error:
            remedy = f"make room, choose another run folder, or {_DELETE}"
            if "locked" in str(error):
                remedy = "in use by another run; wait for it, or choose another run folder"
            raise UserError(f"{self.path}: {error}; {remedy}") from None
