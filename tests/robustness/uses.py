"""How inputs are used: each function takes a folder, and returns a result to compare, and notes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.robustness import slow_reader
from tests.robustness.outcomes import Fault, command
from tests.robustness.slow_reader import Refused
from tests.robustness.world import World, settings, some_flags

Result = tuple[Any, list[str]]

# ------------------------------------------------------------------------------ datasets


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
        raise Fault("message", f"prints the character {odd[0]!r}")
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


def encoders_of(folder: Path, *names: str) -> list[str]:
    """Return the flags of some encoders, which the folder names."""
    return some_flags(json.loads((folder / "encoders.json").read_text()), *names)


def encode(folder: Path) -> Result:
    """Make the features again, from keywords and cached embeddings."""
    encoders = encoders_of(folder, "--text-encoder")
    words = ["features", folder / "dataset", "--out", folder / "run", *encoders]
    _, notes = command(*words, "--json")
    return digests(folder / "run" / "features", ".npy", "items.json"), notes


def find_keywords(folder: Path) -> Result:
    """Look at all images, one of which is damaged."""
    encoders = encoders_of(folder, "--clip", "--dictionary")
    words = ["keywords", folder / "dataset", "--out", folder / "new", *encoders, "--workers", "1"]
    _, notes = command(*words, *settings("features"))
    return digests(folder / "new", "keywords.jsonl"), notes


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
    words += encoders_of(folder, "--text-encoder", "--clip", "--dictionary")
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
                raise Fault("litter", "a refused conversion leaves a folder") from None
            raise
        check_counts(folder / "source" / INTERACTIONS[name], counts)
        data = Dataset.from_folder(out)
        lost = counts["interactions"] - len(data.interactions)
        neither = sum("neither text nor image" in note for note in data.notes)
        if lost and not neither:
            raise Fault("silent", f"{lost} interactions were written and not read")
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
        raise Fault(
            "silent", f"of {there} lines {found} were written, {counts['skipped_lines']} skipped"
        )


def labels(folder: Path) -> Result:
    """Read labelled images."""
    from msm4sr_lite.features.clip.labelled_images import load_images, read_labels

    table, _ = read_labels(folder / "source")
    load_images(folder / "source", table, 16)
    return None, []
