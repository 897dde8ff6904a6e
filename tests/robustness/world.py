"""The undamaged inputs: the smallest datasets, models, runs and sources that a command accepts."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.robustness.outcomes import command
from tests.robustness.sources import SOURCES
from tests.robustness.stops import Stop, run_stopped
from tests.toy_images import labelled_folder

N_ITEMS, N_USERS, LENGTH = 12, 20, 6
KINDS = ("csv", "gz", "tsv", "jsonl", "parquet")
TIMES: dict[str, Callable[[int], Any]] = {
    "counters": lambda n: n,
    "seconds": lambda n: 1_700_000_000 + 3601 * n,
    "milliseconds": lambda n: 1_700_000_000_000 + 3_601_000 * n,
    "dates": lambda n: f"2023-{1 + n // 28 % 12:02}-{1 + n % 28:02}T{n % 24:02}:15:00",
}
SETTINGS = {
    "features": ["n_keywords=3"],
    "model": ["dim=8", "ffn_dim=8", "pooling_dim=4", "experts=2"],
    "pretrain": ["epochs=2", "batch_size=32"],
    "finetune": ["epochs=2", "batch_size=32"],
    "budget": ["batch_size=32", "pretrain_epochs=1", "finetune_epochs=1"],
    "clip": ["epochs=1", "batch_size=8", "image_size=16", "width=0.25"],
}


def settings(*sections: str) -> list[str]:
    """Return the flags of small settings."""
    return [word for s in sections for text in SETTINGS[s] for word in ("--set", f"{s}.{text}")]


def rows(times: str = "seconds") -> list[dict[str, Any]]:
    """Return the interactions: every user has six items, at times that only grow."""
    rng = np.random.default_rng(0)
    found = []
    for user in range(N_USERS):
        for item in rng.choice(N_ITEMS, LENGTH, replace=False):
            time = TIMES[times](len(found))
            found.append({"user_id": f"u{user}", "item_id": f"i{item}", "timestamp": time})
    return found


def items(images: bool = False) -> list[dict[str, Any]]:
    """Return the items, all with texts, most of them with one image or two."""
    found: list[dict[str, Any]] = []
    for number in range(N_ITEMS):
        item: dict[str, Any] = {"item_id": f"i{number}", "title": f"Blue mug number {number}"}
        item |= {"brand": "Kiln & Co", "categories": ["Home", f"Mugs {number % 3}"]}
        item |= {"description": f"It holds {number} litres. Not for the oven.", "domain": "home"}
        if images and number % 4:
            item["images"] = [f"images/{number}.png", "images/1.png"][: 1 + number % 2]
        found.append(item)
    return found


def write_tables(folder: Path, kind: str, times: str = "seconds") -> Path:
    """Write a dataset folder whose tables are files of a kind."""
    folder.mkdir(parents=True)
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        for stem, table in (("interactions", rows(times)), ("items", items())):
            pq.write_table(pa.Table.from_pylist(table), folder / f"{stem}.parquet")
        return folder
    lines = "".join(json.dumps(item) + "\n" for item in items())
    interactions, ending = delimited(rows(times), ","), ".csv"
    if kind == "tsv":
        interactions, ending = delimited(rows(times), "\t"), ".tsv"
        flat = [{**item, "categories": "Home"} for item in items()]
        (folder / "items.csv").write_text(delimited(flat, ","), encoding="utf-8")
    else:
        name = folder / ("items.jsonl.gz" if kind == "gz" else "items.jsonl")
        write(name, lines)
    if kind == "jsonl":
        interactions, ending = "".join(json.dumps(row) + "\n" for row in rows(times)), ".jsonl"
    write(folder / f"interactions{ending}{'.gz' if kind == 'gz' else ''}", interactions)
    return folder


def write(path: Path, text: str) -> None:
    """Write a text, packed if the name says so."""
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def delimited(table: list[dict[str, Any]], mark: str) -> str:
    """Return a table whose cells need no quotes."""
    lines = [mark.join(table[0]), *(mark.join(map(str, row.values())) for row in table)]
    return "\n".join(lines) + "\n"


def some_flags(flags: list[str], *names: str) -> list[str]:
    """Return some flags, each with the word after it."""
    return [word for n in names for word in flags[flags.index(n) : flags.index(n) + 2]]


class World:
    """All inputs, each made when it is first used, under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def tables(self, kind: str, times: str) -> Path:
        """Return a dataset folder whose tables are of a kind."""
        folder = self.root / "tables" / f"{kind}-{times}"
        return folder if folder.is_dir() else write_tables(folder, kind, times)

    @cached_property
    def encoders(self) -> list[str]:
        """Flags of a text encoder, a CLIP and a dictionary, all tiny."""
        from tests.tiny_models import dual_encoder, text_model

        with redirect_stderr(io.StringIO()):  # bars
            bert = text_model("bert", self.root / "bert")
            clip = dual_encoder("clip", self.root / "clip")
        words = self.root / "words.txt"
        words.write_text("red\nblue\nmug\ntent\noak\nbowl\n", encoding="utf-8")
        return ["--text-encoder", bert, "--clip", clip, "--dictionary", str(words)]

    def encoder(self, *names: str) -> list[str]:
        """Return the flags of some encoders."""
        return some_flags(self.encoders, *names)

    @cached_property
    def dataset(self) -> Path:
        """A dataset folder with images."""
        folder = write_tables(self.root / "site" / "dataset", "csv")
        write(folder / "items.jsonl", "".join(json.dumps(i) + "\n" for i in items(images=True)))
        (folder / "images").mkdir()
        rng = np.random.default_rng(1)
        for number in range(N_ITEMS):
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"images/{number}.png")
        return folder

    def run_words(self, data: Path, out: Path) -> list[str]:
        """Return the command that makes a whole run."""
        small = settings("features", "model", "pretrain", "finetune")
        return ["run", str(data), "--out", str(out), *self.encoders, *small]

    @cached_property
    def site(self) -> Path:
        """A folder with ``dataset`` and a finished ``run`` on it."""
        folder = self.dataset.parent
        command(*self.run_words(self.dataset, folder / "run"))
        (folder / "encoders.json").write_text(json.dumps(self.encoders))
        return folder

    @cached_property
    def model(self) -> Path:
        """A folder with ``dataset`` and the model folder ``model``, saved from the run."""
        from msm4sr_lite import MSM4SR

        folder = self.root / "with_model"
        shutil.copytree(self.site / "dataset", folder / "dataset")
        MSM4SR.from_pretrained(self.site / "run").save_pretrained(folder / "model")
        return folder

    @cached_property
    def product(self) -> Path:
        """A folder with ``dataset``, a ``run`` with a score ensemble, and its model folder."""
        from msm4sr_lite import MSM4SR

        folder = self.root / "with_ensemble"
        copy_folder(self.site / "dataset", folder / "dataset")
        for stage in ("features", "pretrained"):
            copy_folder(self.site / "run" / stage, folder / "run" / stage)
        command(*self.ensemble_words(folder))
        MSM4SR.from_pretrained(folder / "run").save_pretrained(folder / "model")
        return folder

    def ensemble_words(self, folder: Path) -> list[str]:
        """Return the command that fine-tunes a model and the parts of its ensemble."""
        words = ["finetune", folder / "dataset", "--out", folder / "run", "--ensemble", "auto"]
        return [*map(str, words), *settings("finetune")]

    def pretrain_words(self, data: Path, out: Path) -> list[str]:
        """Return the command of pre-training alone, with features from the run folder."""
        return ["pretrain", str(data), "--out", str(out), *settings("model", "pretrain")]

    @cached_property
    def stopped(self) -> Path:
        """A folder with ``dataset`` and a ``run`` whose pre-training was stopped after an epoch."""
        folder = self.root / "stopped"
        copy_folder(self.site / "dataset", folder / "dataset")
        copy_folder(self.site / "run" / "features", folder / "run" / "features")
        words = self.pretrain_words(folder / "dataset", folder / "run")
        for moment in range(1, 60):
            run_stopped(words, Stop(moment, signal.SIGINT))
            if {".state", ".jsonl"} <= {path.suffix for path in (folder / "run").iterdir()}:
                return folder
        raise AssertionError("no state was written")

    @cached_property
    def study(self) -> Path:
        """A folder with ``dataset``, its features, and a finished ``study``."""
        folder = self.root / "with_study"
        copy_folder(self.site / "dataset", folder / "dataset")
        copy_folder(self.site / "run" / "features", folder / "features")
        command(*self.study_words(folder))
        return folder

    def study_words(self, folder: Path) -> list[str]:
        """Return the command of a small study."""
        words = ["study", "main", folder / "dataset", "--features", folder / "features"]
        words += ["--out", folder / "study", "--seeds", "1", "--models", "popularity,item_knn,text"]
        return [*map(str, words), *settings("budget"), "--json"]

    @cached_property
    def labelled(self) -> Path:
        """A folder of labelled images."""
        return labelled_folder(self.root / "labelled" / "source", count=80)

    def published(self, name: str) -> Path:
        """Return a folder with ``source``, a small public dataset in the form of its publisher."""
        folder = self.root / "published" / name
        if not folder.is_dir():
            folder.mkdir(parents=True)
            SOURCES[name](folder, rows(), items())
        return folder


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, with symbolic links as they are."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def seeded(*parts: Any) -> random.Random:
    """Return the random generator of a case."""
    return random.Random(" ".join(map(str, parts)))
