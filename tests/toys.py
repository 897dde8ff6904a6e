"""Small made-up tables and shops for the tests."""

import json
import sqlite3

import numpy as np
import torch

from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.table_files import write_table
from msm4sr_lite.sequences import Sequences


def toy_table(text, image, width=11, seed=0, items=None):
    """A feature table with the given numbers of slots per item."""
    rng = np.random.default_rng(seed)
    parts = [
        make_slots(
            rng.standard_normal((sum(counts), width)).astype(np.float16),
            np.array([0, *counts], dtype=np.int64),
        )
        for counts in (text, image)
    ]
    names = items or [f"i{n}" for n in range(1, len(text) + 1)]
    return FeatureTable(["", *names], *parts, manifest={"content": "toy", "text_encoder": {}})


def memory_cache(dtype="float16"):
    """A cache of embeddings that keeps nothing."""
    return EmbeddingCache(sqlite3.connect(":memory:", check_same_thread=False), dtype)


def save_table(table, folder):
    """Write a table, in the numbering it was made with, as the stage features does."""
    parts = {
        name: (slots.counts[1:].numpy(), [slots.vectors.numpy()])
        for name, slots in (("text", table.text), ("image", table.image))
    }
    write_table(folder, table.items[1:], parts, table.manifest | {"width": table.width})


def toy_sequences(lengths, n_items, seed=0):
    """Random histories without repetition."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.arange(1, n_items + 1))[:length] for length in lengths]
    return Sequences(
        users=[f"u{u}" for u in range(len(rows))],
        items=["", *(f"i{n}" for n in range(1, n_items + 1))],
        interactions=np.concatenate(rows),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def toy_dataset(folder, users=8, items=12, seed=0):
    """A shop folder on disk with texts only."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    lines = ["user_id,item_id,timestamp"]
    for user in range(users):
        for time, item in enumerate(rng.permutation(items)[:6]):
            lines.append(f"u{user},i{item},{time}")
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = [{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(items)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")
    return folder


def assert_same_weights(one, two):
    """Both models have the same parameters to the last bit."""
    first, second = one.state_dict(), two.state_dict()
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def write_frame(path, frame):
    """Write a data frame as the kind of table that the name of the file says."""
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
