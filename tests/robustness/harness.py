"""Run many seeded cases in forked workers, and count the outcomes."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness.damage import damage_file
from tests.robustness.outcomes import FAULTS, GOOD, Outcome, judge
from tests.robustness.resealed import reseal
from tests.robustness.slow_reader import Refused
from tests.robustness.stop_targets import STAGES, Stage, StopRunner
from tests.robustness.targets import TARGETS, Target
from tests.robustness.world import World, copy_folder, seeded

MEMORY = 6 << 30  # bytes that a worker may add to what it has
PATIENCE = 90.0  # seconds without a sign of a worker before it is killed


@dataclass(frozen=True)
class Case:
    """One damaged input, which its target, seed and number repeat."""

    target: str
    seed: int
    number: int

    @property
    def words(self) -> str:
        """The command that repeats this case alone."""
        return f"python -m tests.robustness {self.target!r} --seed {self.seed} --case {self.number}"


def cases(n: int, seed: int, names: Sequence[str] = ()) -> list[Case]:
    """Spread ``n`` cases over the targets by their shares."""
    chosen = [t for t in (*TARGETS, *STAGES) if not names or t.name in names]
    total = sum(target.share for target in chosen)
    return [
        Case(target.name, seed, number)
        for target in chosen
        for number in range(max(1, round(n * target.share / total)))
    ]


class Runner:
    """Runs cases in one process; keeps the results of undamaged inputs."""

    def __init__(self, world: World, work: Path) -> None:
        self.world, self.work = world, work
        self.undamaged: dict[tuple[str, Path], Any] = {}

    def run(self, case: Case) -> tuple[str, Outcome]:
        """Run a case; return what was damaged, and the outcome."""
        stage = next((stage for stage in STAGES if stage.name == case.target), None)
        rng = seeded(case.target, case.seed, case.number)
        os.chdir(self.work)  # where relative paths of odd commands lead
        # The path is the same for damaged and undamaged inputs, since results may contain it.
        folder = self.work / "case"
        return self._stop(stage, rng, folder) if stage else self._damage(case, rng, folder)

    def _stop(self, stage: Stage, rng: Random, folder: Path) -> tuple[str, Outcome]:
        """Stop a command and run it again."""
        runner = StopRunner(self.world, stage, folder)
        if (stage.name, folder) not in self.undamaged:
            self.undamaged[stage.name, folder] = runner.undisturbed()
        expected, moments = self.undamaged[stage.name, folder]
        plan = runner.plan(rng, moments)
        runner.prepare()
        outcome = judge(lambda: runner.act(plan), (expected, []), folder=folder, seconds=60.0)
        return f"{plan} of {moments} moments", outcome

    def _damage(self, case: Case, rng: Random, folder: Path) -> tuple[str, Outcome]:
        """Damage an input and use it."""
        target = next(target for target in TARGETS if target.name == case.target)
        source = target.source(self.world, rng)
        expected = self._undamaged(target, source, folder)
        prepare(target, source, folder)
        if target.change:
            return target.change(folder, rng), judge(
                lambda: target.act(folder), None, folder=None, seconds=target.seconds
            )
        files = sorted({f for pattern in target.damaged for f in folder.glob(pattern)})
        path = rng.choice([file for file in files if file.is_file()])
        what = f"{path.relative_to(folder)}: {(done := damage_file(path, rng))}"
        if reseal(path, folder, done, rng):
            what += ", with new checksums"
        must_refuse = False
        if target.expect:
            try:
                expected = (target.expect(folder), expected[1])
            except Refused as refused:
                must_refuse, what = True, f"{what} ({refused})"
        return what, judge(
            lambda: target.act(folder),
            expected if target.fixed else None,
            must_refuse=must_refuse,
            noted=target.noted,
            folder=folder,
            names=(path.name, path.name.removesuffix(path.suffix), str(path.parent)),
            seconds=target.seconds,
        )

    def _undamaged(self, target: Target, source: Path, folder: Path) -> Any:
        key = target.name, source
        if key not in self.undamaged:
            prepare(target, source, folder)
            self.undamaged[key] = target.act(folder)
        return self.undamaged[key]


def prepare(target: Target, source: Path, folder: Path) -> None:
    """Copy the undamaged input to the folder of the case."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_folder(source, folder)
    if target.prepare:
        target.prepare(folder)


def warm_up(world: World, found: Sequence[Case]) -> None:
    """Make all inputs before the workers start, and import what they need."""
    import matplotlib.font_manager  # noqa: F401  takes seconds at the first time

    names = {case.target for case in found}
    for target in TARGETS:
        for number in range(60 if target.damaged == ("*",) else 1):
            if target.name in names:
                target.source(world, seeded(number))
    for stage in STAGES:
        if stage.name in names:
            stage.words(world, stage.source(world))


def worker(world: World, work: Path, found: Sequence[Case], pipe: int) -> None:
    """Run cases and write a line before and after each one to a pipe."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # what libraries in C write
    warnings.simplefilter("ignore")
    runner = Runner(world, work)
    for number, case in enumerate(found):
        os.write(pipe, f"{json.dumps([number])}\n".encode())
        try:
            what, outcome = runner.run(case)
        except BaseException:
            what, outcome = "the harness itself", Outcome("traceback", traceback.format_exc())
        line = [number, what, outcome.kind, outcome.detail[-1500:]]
        os.write(pipe, f"{json.dumps(line)}\n".encode())


class Worker:
    """A forked worker and the lines that it writes. It is replaced if it dies."""

    def __init__(self, world: World, work: Path, found: list[Case]) -> None:
        self.world, self.work, self.left = world, work, found
        self.results: list[tuple[Case, str, Outcome]] = []
        self.start()

    def start(self) -> None:
        """Fork a process for the cases that are left."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.pipe, theirs = os.pipe()
        self.text, self.current, self.heard = b"", -1, time.monotonic()
        self.done = 0
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.child = os.fork()
        if not self.child:
            code = 1
            try:
                os.close(self.pipe)
                worker(self.world, self.work, self.left, theirs)
                code = 0
            finally:
                os._exit(code)
        os.close(theirs)

    def read(self) -> bool:
        """Take what the worker has written; return whether it goes on."""
        data = os.read(self.pipe, 1 << 16)
        self.text, self.heard = self.text + data, time.monotonic()
        *lines, self.text = self.text.split(b"\n")
        for line in map(json.loads, lines):
            self.current = line[0]
            if len(line) > 1:
                self.results.append((self.left[line[0]], line[1], Outcome(*line[2:])))
                self.done = line[0] + 1
        return bool(data) or self.end("crash", "the process died")

    def end(self, kind: str, detail: str) -> bool:
        """Bury the worker; if cases are left, count the present one and start another."""
        with suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.pipe)
        if self.done < len(self.left):
            self.results.append((self.left[self.done], "", Outcome(kind, detail)))
            self.left = self.left[self.done + 1 :]
            if self.left:
                self.start()
                return True
        return False


def run_cases(
    world: World, root: Path, found: Sequence[Case], jobs: int = 2
) -> Iterator[tuple[Case, str, Outcome]]:
    """Run cases in several processes; yield each with what was damaged and the outcome."""
    warm_up(world, found)
    workers = [
        Worker(world, root / f"work{n}", list(found[n::jobs])) for n in range(min(jobs, len(found)))
    ]
    while workers:
        pipes = {one.pipe: one for one in workers}
        ready, _, _ = select.select(list(pipes), [], [], 1.0)
        for pipe in ready:
            if not pipes[pipe].read():
                workers.remove(pipes[pipe])
        for one in workers:
            if time.monotonic() - one.heard > PATIENCE and not one.end("hang", "cannot be stopped"):
                workers.remove(one)
        for one in pipes.values():
            yield from one.results
            one.results = []


def table(counts: dict[str, Counter[str]]) -> str:
    """Return the outcomes of each target as a table."""
    kinds = [*GOOD, *FAULTS]
    lines = [" " * 24 + "".join(f"{kind:>10}" for kind in ("cases", *kinds))]
    total: Counter[str] = sum(counts.values(), Counter())
    for name, found in [*counts.items(), ("all", total)]:
        cells = [found.total(), *(found[kind] for kind in kinds)]
        lines.append(f"{name:<24}" + "".join(f"{cell or '.':>10}" for cell in cells))
    return "\n".join(lines)
