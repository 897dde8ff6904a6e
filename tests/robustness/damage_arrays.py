"""Damage to binary files: NumPy arrays, safetensors, parquet tables, SQLite databases."""

from __future__ import annotations

import io
import json
import math
import pickle
import sqlite3
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

# ------------------------------------------------------------------------------ NumPy


def _array(change: Callable[[np.ndarray, Random], np.ndarray], name: str) -> Callable:
    def damage(data: bytes, rng: Random) -> bytes:
        found = change(np.load(io.BytesIO(data), allow_pickle=False).copy(), rng)
        stream = io.BytesIO()
        np.save(stream, found, allow_pickle=True)
        return stream.getvalue()

    damage.__name__, damage.__doc__ = name, f"An array of {name}."
    return damage


def _with(array: np.ndarray, rng: Random, value: float) -> np.ndarray:
    if array.dtype.kind == "f":
        array.flat[rng.randrange(array.size)] = value
        return array
    return array.astype(float)


def _swap_rows(array: np.ndarray, rng: Random) -> np.ndarray:
    array[[0, -1]] = array[[-1, 0]]
    return array


NPY = [
    _array(lambda a, rng: a.astype(rng.choice(["f4", "f8", ">f2", "i8", "u1"])), "other_dtype"),
    _array(lambda a, rng: a.astype("complex64"), "complex_numbers"),
    _array(lambda a, rng: a.astype(str), "texts"),
    _array(lambda a, rng: a.astype(object), "pickled_objects"),
    _array(lambda a, rng: np.asfortranarray(a), "fortran_order"),
    _array(lambda a, rng: a.reshape(-1), "one_dimension"),
    _array(lambda a, rng: a[None], "one_dimension_more"),
    _array(lambda a, rng: np.array(1.0, a.dtype), "no_dimension"),
    _array(lambda a, rng: a[:0], "no_rows"),
    _array(lambda a, rng: a[: len(a) // 2], "half_the_rows"),
    _array(lambda a, rng: a[..., : a.shape[-1] // 2], "half_the_width"),
    _array(lambda a, rng: np.concatenate([a, a]), "twice_the_rows"),
    _array(lambda a, rng: _with(a, rng, math.nan), "one_nan"),
    _array(lambda a, rng: _with(a, rng, math.inf), "one_infinity"),
    _array(lambda a, rng: np.zeros_like(a), "zeros"),
    _array(lambda a, rng: -a, "other_signs"),
    _array(_swap_rows, "swapped_rows"),
]


def npy_shape_lies(data: bytes, rng: Random) -> bytes:
    """Claim a shape that the data does not have."""
    head, _, rest = data.partition(b"'shape': (")
    numbers, _, tail = rest.partition(b")")
    lie = rng.choice([b"-1, 20", b"99999999999, 20", b"1,", b"", b"3, 7"])
    lie = lie[: len(numbers)].ljust(len(numbers))  # the header keeps its length
    return head + b"'shape': (" + lie + b")" + tail


# ------------------------------------------------------------------------------ safetensors


def _parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _file(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def _tensors(change: Callable[[dict[str, Any], str, Random], None], name: str) -> Callable:
    def damage(data: bytes, rng: Random) -> bytes:
        from safetensors.torch import load, save

        tensors = load(data)
        change(tensors, rng.choice(sorted(tensors)), rng)
        return save(tensors, _parts(data)[0].get("__metadata__"))

    damage.__name__, damage.__doc__ = name, f"Weights with {name}."
    return damage


def _set(new: Callable[[Any, Random], Any]) -> Callable[[dict[str, Any], str, Random], None]:
    def change(tensors: dict[str, Any], key: str, rng: Random) -> None:
        tensors[key] = new(tensors[key], rng).contiguous()

    return change


def _poisoned(tensor: Any, rng: Random) -> Any:
    flat = tensor.clone().reshape(-1)
    flat[rng.randrange(len(flat))] = rng.choice([math.nan, math.inf])
    return flat.reshape(tensor.shape)


def _huge(tensor: Any, rng: Random) -> Any:
    flat = tensor.clone().reshape(-1)
    flat[rng.randrange(len(flat))] = 1e30
    return flat.reshape(tensor.shape)


SAFETENSORS = [
    _tensors(lambda t, key, rng: t.pop(key), "a_tensor_missing"),
    _tensors(lambda t, key, rng: t.clear(), "no_tensor"),
    _tensors(lambda t, key, rng: t.__setitem__(key + "x", t.pop(key)), "a_tensor_renamed"),
    _tensors(lambda t, key, rng: t.__setitem__("new", t[key].clone()), "a_tensor_more"),
    _tensors(_set(lambda t, rng: t.double()), "another_dtype"),
    _tensors(_set(lambda t, rng: t.half()), "half_precision"),
    _tensors(_set(lambda t, rng: t.reshape(-1)), "one_dimension"),
    _tensors(_set(lambda t, rng: t[..., :1].clone() if t.ndim else t[None]), "another_shape"),
    _tensors(_set(lambda t, rng: t[None].clone()), "one_dimension_more"),
    _tensors(_set(_poisoned), "a_number_that_is_none"),
    _tensors(_set(_huge), "a_huge_number"),
    _tensors(_set(lambda t, rng: t * 0), "zeros"),
]


def header_lies(data: bytes, rng: Random) -> bytes:
    """Claim a wrong place, type or shape in the header of the weights."""
    header, body = _parts(data)
    entry = header[rng.choice([key for key in header if key != "__metadata__"])]
    lie = rng.randrange(4)
    if lie == 0:
        entry["data_offsets"] = [0, rng.choice([1, 10**12])]
    elif lie == 1:
        entry["shape"] = [10**9, 10**9]
    elif lie == 2:
        entry["dtype"] = rng.choice(["F16", "I64", "Q7"])
    else:
        entry.pop("shape")
    return _file(header, body)


def counters_lie(data: bytes, rng: Random) -> bytes:
    """Damage the JSON beside the tensors."""
    from tests.robustness.damage_json import missing_key, odd_value

    header, body = _parts(data)
    notes = header.setdefault("__metadata__", {})
    key = rng.choice(sorted(notes) or ["counters"])
    change = rng.choice([odd_value, odd_value, missing_key])
    try:
        notes[key] = change(notes[key], rng)
    except (KeyError, ValueError, IndexError):
        notes.pop(key, None)
    return _file(header, body)


def header_is_huge(data: bytes, rng: Random) -> bytes:
    """Claim a header that is longer than the file."""
    return struct.pack("<Q", rng.choice([2**63, 10**9, len(data), 0])) + data[8:]


def pickle_instead(data: bytes, rng: Random) -> bytes:
    """Put a pickle in its place, which must not be executed."""
    return pickle.dumps({"model": [1.0]})


# ------------------------------------------------------------------------------ parquet


def _parquet(change: Callable[[list[dict[str, Any]], str, Random], None], name: str) -> Callable:
    def damage(data: bytes, rng: Random) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pq.read_table(io.BytesIO(data)).to_pylist()
        change(rows, rng.choice(sorted(rows[0])), rng)
        stream = io.BytesIO()
        try:
            table = pa.Table.from_pylist(rows)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ValueError(str(error)) from None
        pq.write_table(table, stream)
        return stream.getvalue()

    damage.__name__, damage.__doc__ = name, f"A table with {name}."
    return damage


def _column(new: Callable[[Any, int, Random], Any]) -> Callable:
    def change(rows: list[dict[str, Any]], key: str, rng: Random) -> None:
        for number, row in enumerate(rows):
            row[key] = new(row[key], number, rng)

    return change


def _as_number(value: Any, number: int, rng: Random) -> float:
    digits = "".join(filter(str.isdigit, str(value)))
    return float(digits) if digits else 0.0


def _drop(rows: list[dict[str, Any]], key: str, rng: Random) -> None:
    for row in rows:
        del row[key]


PARQUET = [
    _parquet(_column(lambda v, n, rng: None if n % 7 == 3 else v), "some_nulls"),
    _parquet(_column(lambda v, n, rng: None), "nulls_only"),
    _parquet(_column(lambda v, n, rng: math.nan), "nan_only"),
    _parquet(_column(_as_number), "floats"),
    _parquet(_column(lambda v, n, rng: _as_number(v, n, rng) + 2.0**60), "large_floats"),
    _parquet(_column(lambda v, n, rng: str(v)), "texts"),
    _parquet(_column(lambda v, n, rng: str(v).encode()), "bytes"),
    _parquet(_column(lambda v, n, rng: bool(n % 2)), "booleans"),
    _parquet(_column(lambda v, n, rng: [v]), "lists"),
    _parquet(_column(lambda v, n, rng: {"a": v}), "dictionaries"),
    _parquet(_drop, "a_column_missing"),
    _parquet(lambda rows, key, rng: rows.append(dict(rows[0])), "a_row_twice"),
    _parquet(lambda rows, key, rng: rows.reverse(), "rows_reversed"),
]


# ------------------------------------------------------------------------------ SQLite


def _database(script: str, name: str) -> Callable:
    def damage(data: bytes, rng: Random) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "base.sqlite")
            path.write_bytes(data)
            base = sqlite3.connect(path)
            try:
                base.executescript(script)
                base.commit()
            except sqlite3.Error as error:
                raise ValueError(str(error)) from None
            finally:
                base.close()
            return path.read_bytes()

    damage.__name__, damage.__doc__ = name, f"A cache with {name}."
    return damage


SQLITE = [
    _database("DROP TABLE embeddings", "no_table"),
    _database("UPDATE embeddings SET embedding = zeroblob(length(embedding))", "zeros"),
    _database("UPDATE embeddings SET embedding = x'00'", "short_rows"),
    _database("UPDATE embeddings SET embedding = NULL", "null_rows"),
    _database("UPDATE embeddings SET embedding = 'text', checksum = 'x'", "text_rows"),
    _database("UPDATE embeddings SET checksum = checksum + 1", "other_checksums"),
    _database("ALTER TABLE embeddings RENAME COLUMN checksum TO x", "another_column"),
    _database("DROP TABLE embeddings; CREATE TABLE embeddings (a)", "another_table"),
    _database("DELETE FROM embeddings WHERE rowid % 2", "half_the_rows"),
]

ARRAYS: dict[str, list[Callable[[bytes, Random], bytes]]] = {
    ".npy": [*NPY, npy_shape_lies, pickle_instead],
    ".safetensors": [*SAFETENSORS, header_lies, counters_lie, header_is_huge, pickle_instead],
    ".state": [*SAFETENSORS, header_lies, counters_lie, counters_lie, header_is_huge],
    ".parquet": PARQUET,
    ".sqlite": SQLITE,
}
