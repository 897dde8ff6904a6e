"""The cache of embeddings: what it keeps, and what it says when it cannot be used."""

import sqlite3

import numpy as np
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.features.embedding_cache import open_cache


def opened(folder, encoder="one"):
    return open_cache(folder, "sentences", {"identity": encoder}, "float16")


def test_the_cache_keeps_embeddings_of_one_encoder(tmp_path):
    embeddings = np.arange(6, dtype=np.float16).reshape(2, 3)
    with opened(tmp_path) as cache:
        cache.add([b"a", b"b"], embeddings)
    with opened(tmp_path) as cache:
        assert b"a" in cache
        assert b"z" not in cache
        assert np.array_equal(cache.read([b"b", b"a", b"b"]), embeddings[[1, 0, 1]])
    (before,) = tmp_path.iterdir()
    with opened(tmp_path, "other") as cache:
        assert b"a" not in cache
        assert before.exists()
    assert not before.exists()


def test_what_cannot_be_removed_stays(tmp_path):
    (tmp_path / "sentences-of-mine").mkdir()
    with opened(tmp_path) as cache:
        cache.add([b"a"], np.ones((1, 3)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "run").write_text("a file where a folder should be")
    refused = pytest.raises(UserError, match="unable to open database file; ")
    with refused, opened(tmp_path / "run" / "cache"):
        pass


def test_a_cache_that_cannot_be_used_is_one_line(tmp_path):
    with opened(tmp_path) as cache:
        cache.add([b"a"], np.ones((1, 3)))
        locked = pytest.raises(UserError, match="locked; in use by another run; wait for it")
        with locked, opened(tmp_path):
            pass
    full = pytest.raises(UserError, match="disk is full; free disk space")
    with full, opened(tmp_path) as cache:
        cache._base.execute("PRAGMA max_page_count = 5")
        cache.add([b"b"], np.ones((1, 10**6)))
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"something else " * 99)
    with pytest.raises(UserError, match="file is not a database; "), opened(tmp_path):
        pass
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="unable to open database file; "), opened(tmp_path):
        pass


@pytest.mark.parametrize(
    "damage",
    [
        "embedding = zeroblob(6)",
        "embedding = zeroblob(5)",
        "embedding = 'text'",
        "embedding = 7",
        "checksum = NULL",
        "embedding = (SELECT embedding FROM embeddings WHERE key = x'62'),"
        " checksum = (SELECT checksum FROM embeddings WHERE key = x'62')",
    ],
)
def test_a_damaged_embedding_is_one_line(damage, tmp_path):
    with opened(tmp_path) as cache:
        cache.add([b"a", b"b", b"c"], np.arange(9.0).reshape(3, 3))
    (path,) = tmp_path.iterdir()
    base = sqlite3.connect(path)
    base.execute(f"UPDATE embeddings SET {damage}")
    base.commit()
    base.close()
    damaged = pytest.raises(UserError, match=r"sqlite: damaged; .*delete this file, then run again")
    with damaged, opened(tmp_path) as cache:
        cache.read([b"a"])


def test_embeddings_that_are_not_finite_are_not_stored(tmp_path):
    for value in (np.nan, np.inf, 70_000.0):  # the last one is too large for float16
        refused = pytest.raises(UserError, match="embeddings that are not finite in float16")
        with refused, opened(tmp_path) as cache:
            cache.add([b"a"], np.full((1, 3), value))
    with opened(tmp_path) as cache:
        assert b"a" not in cache
