"""What is damaged, how it is then used, and what the right result is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness import argument_target, uses
from tests.robustness.sources import SOURCES
from tests.robustness.uses import Result
from tests.robustness.world import KINDS, TIMES, World


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes
    ----------
    name
        Its name in the table.
    share
        How many of the cases it gets, beside the shares of the others.
    source
        Returns an undamaged folder; it is copied before it is damaged.
    damaged
        Patterns of the files that are damaged.
    act
        Uses a copy, and returns a result that can be compared, and notes.
    expect
        Returns the right result for a damaged copy, or raises ``Refused``; None: the result is
        right if it is that of the undamaged folder.
    fixed
        Whether there is one right result at all; otherwise only the manner of a failure counts.
    seconds
        Time limit of a case.
    prepare
        Called with a copy before it is damaged.
    noted
        Pattern of the notes that explain a result other than the right one; empty: none does.
    change
        Damages a copy and says how; None: one of the files is damaged.
    """

    name: str
    share: int
    source: Callable[[World, Random], Path]
    damaged: tuple[str, ...]
    act: Callable[[Path], Result]
    expect: Callable[[Path], Any] | None = None
    fixed: bool = True
    seconds: float = 10.0
    prepare: Callable[[Path], None] | None = None
    noted: str = ""
    change: Callable[[Path, Random], str] | None = None


def tables(world: World, rng: Random) -> Path:
    """Return a dataset folder of any kind."""
    return world.tables(rng.choice(KINDS), rng.choice(list(TIMES)))


def site(world: World, rng: Random) -> Path:
    """Return a folder with a dataset and a finished run."""
    return world.site


FEATURES = tuple(
    f"run/features/{name}"
    for name in (
        "items.json",
        "manifest.json",
        "sources.json",
        "*.npy",
        "keywords.jsonl",
        "dictionary.txt",
    )
)
STAGES = ("run/pretrained", "run/finetuned")
TARGETS = [
    Target(
        "tables", 40, tables, ("*",), uses.read_tables, uses.right_reading, noted="text was cut off"
    ),
    Target("check", 6, tables, ("*",), uses.check_dataset, fixed=False),
    Target(
        "model folder", 22, lambda w, _: w.model, ("model/*", "model/features/*"), uses.use_model
    ),
    Target(
        "ensemble",
        10,
        lambda w, _: w.product,
        ("model/ensemble/*", "model/ensemble/*/*"),
        uses.use_model,
    ),
    Target("run folder", 12, lambda w, _: w.site, ("run/finetuned/*", *FEATURES), uses.use_run),
    Target("features", 10, lambda w, _: w.site, FEATURES, uses.use_features),
    Target("dataset of a run", 6, lambda w, _: w.site, ("dataset/*.*",), uses.use_run, fixed=False),
    Target("evaluation", 5, site, ("run/finetuned/*", "run/access_log.json"), uses.evaluate),
    Target("keywords", 6, site, ("run/keywords/*",), uses.encode, prepare=uses.forget_features),
    Target("cache", 5, site, ("run/cache/*",), uses.encode, prepare=uses.forget_features),
    Target("images", 5, site, ("dataset/images/*",), uses.find_keywords, fixed=False),
    Target("state", 14, lambda w, _: w.stopped, ("run/*.state",), uses.resume, seconds=30.0),
    Target("log", 4, lambda w, _: w.stopped, ("run/*_log.jsonl",), uses.resume, seconds=30.0),
    Target("plot", 4, lambda w, _: w.site, ("run/*_log.jsonl",), uses.plot, fixed=False),
    Target(
        "records", 6, site, tuple(f"{s}/record.json" for s in STAGES), uses.repeat_run, seconds=30.0
    ),
    Target(
        "study", 6, lambda w, _: w.study, ("study/*.json", "study/runs/*.json"), uses.repeat_study
    ),
    Target(
        "labels.csv",
        4,
        lambda w, _: w.labelled.parent,
        ("source/labels.csv",),
        uses.labels,
        fixed=False,
    ),
]
TARGETS += [
    Target(
        f"convert {name}",
        4,
        lambda world, _, name=name: world.published(name),
        ("source/*",),
        uses.convert(name),
        fixed=False,
    )
    for name in SOURCES
]
TARGETS.append(
    Target(
        "arguments",
        16,
        argument_target.source,
        (),
        argument_target.run_words,
        fixed=False,
        change=argument_target.odd_words,
    )
)
