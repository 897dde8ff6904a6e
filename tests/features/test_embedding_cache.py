"""The cache of embeddings: what it keeps, and what it says when it cannot be used."""

import sqlite3

import numpy as np
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.features.embedding_cache import EmbeddingCache


def test_the_cache_keeps_embeddings(tmp_path):
    embeddings = np.arange(6, dtype=np.float16).reshape(2, 3)
    with EmbeddingCache(tmp_path / "e.sqlite") as cache:
        cache.add([b"a", b"b"], embeddings)
    with EmbeddingCache(tmp_path / "e.sqlite") as cache:
        assert b"a" in cache
        assert b"z" not in cache
        assert np.array_equal(cache.read([b"b", b"a", b"b"]), embeddings[[1, 0, 1]])


def test_a_cache_that_cannot_be_used_is_one_line(tmp_path):
    path = tmp_path / "e.sqlite"
    with EmbeddingCache(path) as cache:
        cache.add([b"a"], np.ones((1, 3)))
        with pytest.raises(UserError, match=r"e.sqlite: database is locked; in use by another run"):
            EmbeddingCache(path)
        cache._base.execute("PRAGMA max_page_count = 5")
        with pytest.raises(
            UserError, match="disk is full; make room, choose another run folder, or"
        ):
            cache.add([b"b"], np.ones((1, 10**6)))
    base = sqlite3.connect(path)
    base.execute("UPDATE embeddings SET embedding = zeroblob(6)")
    base.commit()
    base.close()
    with (
        EmbeddingCache(path) as cache,
        pytest.raises(UserError, match=r"damaged; delete this file"),
    ):
        cache.read([b"a"])
    path.write_bytes(b"something else " * 99)
    with pytest.raises(UserError, match=r"file is not a database; .* delete this file"):
        EmbeddingCache(path)
    with pytest.raises(UserError, match="unable to open database file; make room"):
        EmbeddingCache(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"exists|directory"):
        EmbeddingCache(tmp_path / "file/e.sqlite")
