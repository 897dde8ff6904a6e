"""What is damaged, how it is then used, and what the right result is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness import argument_target, slow_reader
from tests.robustness.outcomes import Differs, command
from tests.robustness.slow_reader import Refused
from tests.robustness.world import KINDS, SOURCES, TIMES, World, settings

Result = tuple[Any, list[str]]


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
    change: Callable[[Path, Random], str] | None = None


# ------------------------------------------------------------------------------ datasets


def tables(world: World, rng: Random) -> Path:
    """Return a dataset folder of any kind."""
    return world.tables(rng.choice(KINDS), rng.choice(list(TIMES)))


def read_tables(folder: Path) -> Result:
    """Read a dataset folder; also print its summary, which must be possible."""
    from msm4sr_lite import Dataset

    data = Dataset.from_folder(folder)
    found = [[k, asdict(item)] for k, item in data.items.items()]
    (str(data.summary()) + json.dumps(found, ensure_ascii=False)).encode()
    table = data.interactions
    columns = (table[name].tolist() for name in ("user_id", "item_id", "timestamp"))
    items = {k: tuple(asdict(item).values()) for k, item in data.items.items()}
    return as_result(items, list(zip(*columns, strict=True))), data.notes


def as_result(items: dict[str, Any], interactions: list[tuple[str, str, float]]) -> Any:
    """Return items and interactions in a form that two readers agree on."""
    names = ("item_id", "title", "brand", "categories", "description", "text", "images", "domain")
    return {
        "items": [dict(zip(names, values, strict=True)) for values in items.values()],
        "interactions": [[user, item, round(time, 4)] for user, item, time in interactions],
    }


def right_reading(folder: Path) -> Any:
    """Return what the slow reader finds."""
    found = slow_reader.read(folder)
    return as_result(found.items, found.interactions)


def check_dataset(folder: Path) -> Result:
    """Run ``msm4sr check`` and look at what reaches the terminal."""
    out, notes = command("check", folder)
    if odd := [c for c in out if not (c.isprintable() or c == "\n")]:
        raise Differs(f"prints the character {odd[0]!r}")
    return out, notes


# ------------------------------------------------------------------------------ models, runs


def recommended(folder: Path, model: str, *more: Any) -> Result:
    """Recommend items for a history."""
    words = ["recommend", folder / "dataset", "--model", folder / model, "--items", "i1,i2", *more]
    out, notes = command(*words, "--json")
    return json.loads(out), notes


def use_model(folder: Path) -> Result:
    """Use a model folder."""
    return recommended(folder, "model")


def use_run(folder: Path) -> Result:
    """Use the best model of a run folder."""
    return recommended(folder, "run")


def use_features(folder: Path) -> Result:
    """Use a model with a feature folder beside it."""
    return recommended(folder, "run", "--features", folder / "run" / "features")


def evaluate(folder: Path) -> Result:
    """Evaluate the test part, which also writes the access log."""
    words = ["evaluate", folder / "dataset", "--model", folder / "run", "--part", "test", "--json"]
    out, notes = command(*words)
    return json.loads(out), notes


def encode(folder: Path) -> Result:
    """Make the features again, from keywords and cached embeddings."""
    encoders = json.loads((folder / "encoders.json").read_text())
    words = ["features", folder / "dataset", "--out", folder / "run", *encoders]
    _, notes = command(*words, "--json")
    return digests(folder / "run" / "features", ".npy", "items.json"), notes


def plot(folder: Path) -> Result:
    """Draw the training curves."""
    _, notes = command("plot", folder / "run", "--out", folder / "curves.png")
    return (folder / "curves.png").stat().st_size > 1000, notes


def resume(folder: Path) -> Result:
    """Go on with a stopped pre-training."""
    small = settings("model", "pretrain")
    words = ["pretrain", folder / "dataset", "--out", folder / "run", *small, "--json"]
    _, notes = command(*words)
    return digests(folder / "run" / "pretrained", ".safetensors", "items.json"), notes


def repeat_run(folder: Path) -> Result:
    """Run the command of a finished run again."""
    words = ["run", folder / "dataset", "--out", folder / "run", "--json"]
    words += [*json.loads((folder / "encoders.json").read_text())]
    out, notes = command(*words, *settings("features", "model", "pretrain", "finetune"))
    return json.loads(out)["models"], notes


def repeat_study(folder: Path) -> Result:
    """Run the command of a finished study again."""
    world = World(folder)
    out, notes = command(*world.study_words(folder))
    return json.loads(out)["main"]["models"], notes


def digests(folder: Path, *endings: str) -> dict[str, str]:
    """Return the hashes of some files."""
    files = [path for path in sorted(folder.rglob("*")) if path.name.endswith(endings)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}


def forget_features(folder: Path) -> None:
    """Remove the features, so that they are made again."""
    for path in (folder / "run" / "features").iterdir():
        path.unlink()
    (folder / "run" / "features").rmdir()


# ------------------------------------------------------------------------------ other inputs


def convert(name: str) -> Callable[[Path], Result]:
    """Return a function that converts a public dataset and reads the result."""

    def act(folder: Path) -> Result:
        from msm4sr_lite import Dataset
        from msm4sr_lite.dataset.convert import convert_dataset

        out = folder / "out"
        try:
            counts = convert_dataset(folder / "source", out, format=name.removesuffix("-csv"))
        except Exception:
            if out.exists():
                raise Differs("a refused conversion leaves a folder") from None
            raise
        check_counts(folder / "source" / INTERACTIONS[name], counts)
        data = Dataset.from_folder(out)
        lost = counts["interactions"] - len(data.interactions)
        neither = sum("neither text nor image" in note for note in data.notes)
        if lost and not neither:
            raise Differs(f"{lost} interactions were written and not read")
        return None, data.notes

    return act


INTERACTIONS = {
    "amazon-2018": "Mugs_5.json.gz",
    "amazon-2023": "Mugs.jsonl",
    "movielens": "ratings.dat",
    "movielens-csv": "ratings.csv",
    "recbole": "mugs.inter",
    "hm": "transactions_train.csv",
}


def check_counts(path: Path, counts: dict[str, Any]) -> None:
    """Check that every line of a source became an interaction or was counted as skipped."""
    try:
        text = slow_reader.text_of(path.read_bytes())
    except Refused:
        return  # lines that are no UTF-8 may be read as another encoding
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip("\t, ")]
    there = len(lines) - (path.suffix in (".csv", ".inter"))
    if '"' in text and path.suffix == ".csv":
        return  # a row may have several lines
    found = counts["interactions"]
    if not there - counts["skipped_lines"] <= found <= there:
        raise Differs(f"of {there} lines {found} were written, {counts['skipped_lines']} skipped")


def labels(folder: Path) -> Result:
    """Read labelled images."""
    from msm4sr_lite.features.clip.labelled_images import load_images, read_labels

    table, _ = read_labels(folder / "source")
    load_images(folder / "source", table, 16)
    return None, []


def site(world: World, rng: Random) -> Path:
    """Return a folder with a dataset and a finished run."""
    path = world.site / "encoders.json"
    path.write_text(json.dumps(world.encoders))
    return world.site


def features_again(world: World, rng: Random) -> Path:
    """Return a folder with a finished run, and the encoders that the features need."""
    path = world.site / "encoders.json"
    path.write_text(json.dumps(world.encoder("--text-encoder")))
    return world.site


FEATURES = tuple(
    f"run/features/{name}"
    for name in ("items.json", "manifest.json", "*.npy", "keywords.jsonl", "dictionary.txt")
)
STAGES = ("run/pretrained", "run/finetuned")
TARGETS = [
    Target("tables", 40, tables, ("*",), read_tables, right_reading),
    Target("check", 6, tables, ("*",), check_dataset, fixed=False),
    Target("model folder", 22, lambda w, _: w.model, ("model/*", "model/features/*"), use_model),
    Target("run folder", 12, lambda w, _: w.site, ("run/finetuned/*", *FEATURES), use_run),
    Target("features", 10, lambda w, _: w.site, FEATURES, use_features),
    Target("dataset of a run", 6, lambda w, _: w.site, ("dataset/*.*",), use_run, fixed=False),
    Target("evaluation", 5, site, ("run/finetuned/*", "run/access_log.json"), evaluate),
    Target("keywords", 6, features_again, ("run/keywords/*",), encode, prepare=forget_features),
    Target("cache", 5, features_again, ("run/cache/*",), encode, prepare=forget_features),
    Target("state", 14, lambda w, _: w.stopped, ("run/*.state",), resume, seconds=30.0),
    Target("log", 4, lambda w, _: w.stopped, ("run/*_log.jsonl",), resume, seconds=30.0),
    Target("plot", 4, lambda w, _: w.site, ("run/*_log.jsonl",), plot, fixed=False),
    Target("records", 6, site, tuple(f"{s}/record.json" for s in STAGES), repeat_run, seconds=30.0),
    Target("study", 6, lambda w, _: w.study, ("study/*.json", "study/runs/*.json"), repeat_study),
    Target(
        "labels.csv", 4, lambda w, _: w.labelled.parent, ("source/labels.csv",), labels, fixed=False
    ),
]
TARGETS += [
    Target(
        f"convert {name}",
        4,
        lambda world, _, name=name: world.published(name),
        ("source/*",),
        convert(name),
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
__all__ = ["TARGETS", "Refused", "Target"]
