"""Commands that are stopped at any moment and then run again: nothing may be lost or differ."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness import small_disk
from tests.robustness.outcomes import Fault, litter, wrong_message
from tests.robustness.stops import Ended, Stop, count_moments, in_child, run_stopped
from tests.robustness.world import World, copy_folder, settings

UNTIMED = ("seconds", "when", "checksum")  # what differs between equal runs
KILLED = [signal.SIGKILL] * 4 + [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ENDS = {2, 130, 143, 129, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT}  # of a stopped command


@dataclass(frozen=True)
class Stage:
    """A command that writes files.

    Attributes
    ----------
    name
        Its name in the table.
    share
        How many of the cases it gets.
    words
        Returns the command for a folder of a case.
    keeps
        What is there before the command: paths in the folder of a finished run.
    writes
        The folder that the command writes to.
    source
        Returns the folder that ``keeps`` is copied from.
    often
        Whether a training writes its state after every step.
    """

    name: str
    share: int
    words: Callable[[World, Path], list[Any]]
    keeps: tuple[str, ...]
    writes: str = "run"
    source: Callable[[World], Path] = lambda world: world.site
    often: bool = False


def _train(name: str) -> Callable[[World, Path], list[Any]]:
    sections = ["model", "pretrain"] if name == "pretrain" else ["finetune"]
    return lambda world, folder: [name, *_data(folder), *settings(*sections)]


def _data(folder: Path) -> list[Any]:
    return [folder / "dataset", "--out", folder / "run"]


def _keywords(world: World, folder: Path) -> list[Any]:
    clip = world.encoder("--clip", "--dictionary")
    return ["keywords", *_data(folder), *clip, *settings("features")]


def _features(world: World, folder: Path) -> list[Any]:
    return ["features", *_data(folder), *world.encoder("--text-encoder"), *settings("features")]


def _evaluate(world: World, folder: Path) -> list[Any]:
    return ["evaluate", folder / "dataset", "--model", folder / "run", "--part", "test"]


def _recommend(world: World, folder: Path) -> list[Any]:
    words = ["recommend", folder / "dataset", "--model", folder / "run", "--all-users"]
    return [*words, folder / "out" / "all.csv"]


def _convert(world: World, folder: Path) -> list[Any]:
    return ["convert", folder / "source", "--out", folder / "out" / "dataset"]


def _train_clip(world: World, folder: Path) -> list[Any]:
    return ["train-clip", folder / "source", "--out", folder / "out" / "clip", *settings("clip")]


FITTED = ("run/pretrained", "run/finetuned")
STAGES = [
    Stage("stop keywords", 8, _keywords, ("dataset",)),
    Stage("stop features", 8, _features, ("dataset", "run/keywords")),
    Stage("stop pretrain", 16, _train("pretrain"), ("dataset", "run/features")),
    Stage("stop inside an epoch", 12, _train("pretrain"), ("dataset", "run/features"), often=True),
    Stage("stop finetune", 8, _train("finetune"), ("dataset", "run/features", "run/pretrained")),
    Stage(
        "stop ensemble",
        6,
        lambda w, f: w.ensemble_words(f),
        ("dataset", "run/features", "run/pretrained"),
        source=lambda world: world.product,
    ),
    Stage("stop evaluate", 3, _evaluate, ("dataset", "run/features", *FITTED)),
    Stage("stop recommend", 2, _recommend, ("dataset", "run/features", *FITTED), "out"),
    Stage("stop plot", 2, lambda w, f: ["plot", f / "run"], ("run/pretrained_log.jsonl",)),
    Stage("stop run", 12, lambda w, f: w.run_words(f / "dataset", f / "run"), ("dataset",)),
    Stage(
        "stop study",
        6,
        lambda w, f: w.study_words(f),
        ("dataset", "features"),
        "study",
        lambda world: world.study,
    ),
    Stage("stop convert", 5, _convert, ("source",), "out", lambda w: w.published("amazon-2018")),
    Stage("stop train-clip", 2, _train_clip, ("source",), "out", lambda w: w.labelled.parent),
]


class StopRunner:
    """Stops and repeats the command of a stage."""

    def __init__(self, world: World, stage: Stage, folder: Path) -> None:
        self.world, self.stage, self.folder = world, stage, folder
        self.words = [str(word) for word in stage.words(world, folder)]

    def prepare(self) -> None:
        """Put what the command needs into the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        source = self.stage.source(self.world)
        for name in self.stage.keeps:
            if (source / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, self.folder / name)
            else:
                copy_folder(source / name, self.folder / name)

    def undisturbed(self) -> tuple[Any, int]:
        """Run the command; return what it wrote, and how many moments it had."""
        self.prepare()
        moments = count_moments(self.words, self.stage.often)
        return self.snapshot(), moments

    def plan(self, rng: Random, moments: int) -> dict[str, Any]:
        """Choose how the command is stopped, once or twice."""
        kind = rng.choice(["kill", "kill", "kill", "full", "once", "size", "disk"])
        moment, torn = rng.randint(1, moments), rng.random() < 0.5
        by = rng.choice(KILLED).value if kind == "kill" else kind
        if kind in ("size", "disk"):
            return {"by": kind, "bytes": rng.choice([200, 2_000, 9_000, 30_000, 80_000, 150_000])}
        return {"by": by, "moment": moment, "torn": torn, "twice": rng.random() < 0.2}

    def act(self, plan: dict[str, Any] | None) -> tuple[Any, list[str]]:
        """Stop the command as planned, run it again, and return what it wrote."""
        if plan and plan["by"] == "disk" and small_disk.can_mount(self.folder):
            return self._on_a_small_disk(plan["bytes"])
        if plan and plan["by"] in ("disk", "size"):
            self.check(run_stopped(self.words, biggest_file=plan["bytes"]), "size")
        elif plan:
            by = plan["by"] if isinstance(plan["by"], str) else signal.Signals(plan["by"])
            options = plan["torn"], self.stage.often
            self.check(run_stopped(self.words, Stop(plan["moment"], by, *options)), by)
            if plan["twice"]:
                run_stopped(self.words, Stop(plan["moment"] // 2 + 1, by, *options))
        return self.again()

    def again(self) -> tuple[Any, list[str]]:
        """Run the command undisturbed; return what it wrote."""
        ended = run_stopped(self.words)
        done = ended.code == 2 and ": already exists; " in ended.err  # then all must be there
        if ended.code and not done:
            raise Fault(
                "silent", f"cannot be run again: exit code {ended.code}: {ended.err[-1500:]}"
            )
        return self.snapshot(), []

    def check(self, ended: Ended, by: signal.Signals | str) -> None:
        """Check how a stopped command has ended."""
        if "Traceback" in ended.err:
            raise Fault("traceback", f"after {by}: {ended.err[-1500:]}")
        if by == signal.SIGKILL or ended.code == 0:
            return
        if ended.code not in ENDS:
            raise Fault("message", f"exit code {ended.code} after {by}: {ended.err[-500:]}")
        if ended.code > 0 and (wrong := wrong_message("\n" + ended.err, None, ())):
            raise Fault("message", f"{by}: {wrong}: {ended.err[-500:]}")
        if ended.code > 0 and (left := litter(self.folder)):
            raise Fault("litter", f"{by}: left {left}")

    def _on_a_small_disk(self, size: int) -> tuple[Any, list[str]]:
        """Run the command on a disk that is soon full, then again when there is space."""
        place, there = self.folder / self.stage.writes, self.folder / "before"
        place.mkdir(exist_ok=True)
        place.rename(there)
        place.mkdir()

        def act() -> int:
            small_disk.mount(place, 1 << 24)
            copy_folder(there, place)
            used = sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
            small_disk.mount(place, used + size, again=True)
            try:
                self.check(run_stopped(self.words), "disk")
                small_disk.mount(place, 1 << 24, again=True)
                result = self.again()[0]
                if left := litter(place):
                    raise Fault("litter", str(left))
            except Fault as fault:
                print(json.dumps([fault.kind, fault.detail]))
            else:
                print(json.dumps(result))
            return 0

        code, out, err = in_child(act)
        if code:
            raise RuntimeError(f"the small disk: {err}")
        found = json.loads(out)
        if isinstance(found, list):
            raise Fault(*found)
        return found, []

    def snapshot(self) -> Any:
        """Return the content of all files that the command wrote, without times."""
        place = self.folder / self.stage.writes
        paths = sorted(place.rglob("*"))
        # SQLite's own journal belongs to the database, which replays or drops it when it is opened.
        # The file of a lock is empty; whether the lock is held is known to the system alone.
        paths = [p for p in paths if not p.name.endswith((".sqlite-journal", ".lock"))]
        named = {path.relative_to(self.folder).as_posix(): path for path in paths}
        return {name: content(path) for name, path in named.items()}


def content(path: Path) -> Any:
    """Return what equal runs have in common in a file."""
    if path.is_dir():
        return "folder"
    if path.suffix == ".json":
        return untimed(json.loads(path.read_text("utf-8")))
    if path.suffix == ".jsonl":
        return [untimed(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".sqlite" or path.name == "SHA256SUMS":
        return "there"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def untimed(value: Any) -> Any:
    """Return a value without the times in it."""
    if isinstance(value, dict):
        return {key: untimed(inner) for key, inner in value.items() if key not in UNTIMED}
    return [untimed(inner) for inner in value] if isinstance(value, list) else value
