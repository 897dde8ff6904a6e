"""Turn a folder of labelled images into a model folder: read, split, train, measure, write."""

import glob
import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.features.clip.labelled_images import LabelledImages, load_images, read_labels
from msm4sr_lite.features.clip.model import build_model, make_tokenizer
from msm4sr_lite.features.clip.objective import PROMPT
from msm4sr_lite.features.clip.training import BATCH_SIZE, ClipTrainingConfig, Epoch, train_epochs
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.printable import counted
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import whole_folder, write_json, write_text
from msm4sr_lite.store.fingerprint import fingerprint, versions
from msm4sr_lite.store.training_files import StateFile

VALIDATION_SHARE = 0.1
MIN_VALIDATION = 20  # images
MIN_TRAINING = 50


def train_clip(
    folder: Path | str,
    out: Path | str,
    config: ClipTrainingConfig | None = None,
    *,
    columns: Sequence[str] = (),
    n_test: int = 0,
    seed: int = 0,
    device: str = "cpu",
    callback: Callable[[Epoch], object] = lambda epoch: None,
) -> dict[str, Any]:
    """Train a small dual encoder and write its folder, whole or not at all.

    A file beside the folder keeps the state after each epoch. After a stop, the same call goes on
    from there, and its result is the same as without the stop.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and images; see ``labelled_images.read_labels``.
    out
        New folder for the model: an ordinary ``transformers`` folder with ``words.txt`` (the
        label words), ``evaluation.json`` and a model card.
    config
        Settings of the training; by default those of ``ClipTrainingConfig()``.
    columns
        The label columns; by default those with few different, short values.
    n_test
        Number of images held out for testing.
    seed
        Seed of weights, split, order, captions and augmentation.
    device
        ``cpu`` or ``cuda``.
    callback
        Called with each finished epoch.

    Returns
    -------
    report
        The content of ``evaluation.json``.

    Raises
    ------
    UserError
        If the folder or a setting cannot be used, or too few images are left for training.
    """
    folder, out, config = Path(folder), Path(out), config or ClipTrainingConfig()
    n_test, seed = ARGUMENTS["n_test"].check(n_test), ARGUMENTS["seed"].check(seed)
    states = {*out.parent.glob(f"{glob.escape(out.name)}.{'[0-9a-f]' * 16}.state")}
    if (out / "evaluation.json").exists():  # finished; only the states may not have been removed
        _remove(states)
    _require_new(out)
    transformers.utils.logging.disable_progress_bar()
    started = time.process_time()
    labels, missing = read_labels(folder, columns)
    images, problems = load_images(folder, labels, config.image_size)
    labels, words, (*_, height, width) = images.labels, images.words, images.pixels.shape
    say(f"train-clip: label columns {', '.join(map(str, labels))}: {counted(len(words), 'word')}")
    if missing:
        say(f"train-clip: images of labels.csv that are not in the folder: {missing}")
    if problems:
        say(f"train-clip: images that cannot be read: {len(problems)}, the first: {problems[0]}")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist()
    test, rest = order[:n_test], order[n_test:]
    n_validation = max(MIN_VALIDATION, round(VALIDATION_SHARE * len(rest)))
    validation, training = rest[:n_validation], rest[n_validation:]
    if len(training) < MIN_TRAINING:
        problem = f"{counted(len(training), 'training image')}; at least {MIN_TRAINING} needed"
        usable = f"{len(labels)} usable, {len(validation)} for validation, {n_test} for testing"
        remedy = "add images or hold out fewer for testing"
        raise UserError(f"{folder}: {problem} ({usable}); {remedy}")
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(words)
    size = {"height": height, "width": width}
    processor = transformers.CLIPImageProcessorPil(size=size, do_center_crop=False)
    model = build_model(tokenizer, config.width)
    torch.nn.Module.to(model, device)
    clip = model, tokenizer, processor
    made_from = [as_dict(config), seed, n_test, device, labels.to_csv(), versions("torch")]
    pixels = hashlib.sha256(images.pixels.numpy().tobytes()).hexdigest()
    name = f"{out.name}.{fingerprint([made_from, pixels])}.state"
    state = StateFile(out.with_name(name), every=0)
    if states and state.path not in states:
        say(f"train-clip: starting anew: {min(states)} is of other settings, images or versions")
    epochs = train_epochs(*clip, images, training, validation, config, seed, state, callback)
    best = [epoch for epoch in epochs if epoch.best][-1]
    reached = f"{best.average_precision:.3f} on {counted(len(validation), 'validation image')}"
    say(f"train-clip: best epoch {best.number} of {len(epochs)}, average precision {reached}")

    _require_new(out)  # it may have been made meanwhile, by the same command
    with whole_folder(out) as draft:
        for part in clip:
            part.save_pretrained(draft)
        write_text(draft / "words.txt", "".join(f"{word}\n" for word in words))
        keywords = KeywordTokenizer(str(draft), words, device=device)
        figures = {
            part: label_retrieval(keywords, folder, images, rows, training)
            for part, rows in (("test", test), ("validation", validation))
            if rows
        }
        minutes = round((time.process_time() - started) / 60, 1)
        report: dict[str, Any] = {
            "name": out.name,
            "columns": list(labels),
            "words": len(words),
            "training_images": len(training),
            "unusable_images": missing + len(problems),
            "image_size": [height, width],
            "config": as_dict(config),
            "seed": seed,
            "epochs": len(epochs),
            "best_epoch": best.number,
            "weights": model.num_parameters(),
            "device": device,
            "minutes": minutes,
            "versions": versions("torch", "transformers"),
            "prompt": PROMPT,
            **figures,
            "log": [[e.number, round(e.loss, 4), round(e.average_precision, 4)] for e in epochs],
        }
        write_json(draft / "evaluation.json", report)
        write_card(draft, report)
    _remove(states | {state.path})
    return report


def _require_new(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: already exists; choose a new folder")


def _remove(files: set[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


def label_retrieval(
    tokenizer: KeywordTokenizer,
    folder: Path,
    images: LabelledImages,
    test: Sequence[int],
    training: Sequence[int],
) -> dict[str, Any]:
    """Rank all label words for every test image, as ``msm4sr keywords`` does.

    Parameters
    ----------
    tokenizer
        The model with the label words as its dictionary.
    folder
        The folder of the images.
    images
        All images with their labels.
    test
        Indices of the test images.
    training
        Indices of the training images, for the ranking by frequency.

    Returns
    -------
    report
        The entries are:

        - ``images``, ``words``: their numbers
        - ``precision@k``, ``recall@10``: k is the number of label columns
        - ``by_frequency``: the same for a ranking by frequency, which ignores the image
        - ``first_of_column``: how often the best word of a column is a label of the image
    """
    words, labels = images.words, images.labels.iloc[list(test)]
    ranked: list[list[str]] = []
    for start in range(0, len(labels), BATCH_SIZE):
        batch = [open_image(folder, name) for name in labels.index[start : start + BATCH_SIZE]]
        best = tokenizer.keywords(batch, len(words))
        ranked += [[keyword.word for keyword in row] for row in best]
    counts = images.true[list(training)].sum(0).tolist()
    frequent = [words[k] for k in sorted(range(len(words)), key=lambda k: -counts[k])]
    true = [set(chain(*cells)) for cells in labels.to_numpy()]
    first_of_column = {}
    for (column, cells), indices in zip(labels.items(), images.columns, strict=True):
        known, pairs = {words[k] for k in indices}, zip(ranked, cells, strict=True)
        hits = [next(w for w in row if w in known) in cell for row, cell in pairs if cell]
        first_of_column[str(column)] = round(sum(hits) / max(1, len(hits)), 4)
    k = len(labels.columns)
    by_frequency = precision_and_recall([frequent] * len(ranked), true, k)
    found = {"images": len(ranked), "words": len(words), **precision_and_recall(ranked, true, k)}
    return {**found, "by_frequency": by_frequency, "first_of_column": first_of_column}


def precision_and_recall(
    ranked: Sequence[Sequence[str]], true: Sequence[Collection[str]], k: int
) -> dict[str, float]:
    """Return precision at k and recall at 10 of ranked words, averaged over the images.

    >>> precision_and_recall([["red", "mug", "tall"]], [{"red", "tall"}], 2)
    {'precision@2': 0.5, 'recall@10': 1.0}
    """
    pairs = list(zip(ranked, true, strict=True))
    precision = sum(len(set(row[:k]) & set(labels)) / k for row, labels in pairs)
    recall = sum(len(set(row[:10]) & set(labels)) / len(labels) for row, labels in pairs)
    totals = {f"precision@{k}": precision, "recall@10": recall}
    return {name: round(total / len(pairs), 4) for name, total in totals.items()}


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights, with the figures of ``evaluation.json``."""
    k, rows = len(report["columns"]), ""
    for part in ("validation", "test"):
        if found := report.get(part):
            rows += f"| {found['images']} of {part} |"
            for ranking in (found, found["by_frequency"]):
                rows += f" {ranking[f'precision@{k}']:.3f} | {ranking['recall@10']:.3f} |"
            rows += "\n"
    template = Path(__file__).with_name("model_card.txt").read_text("utf-8")
    figures = {**report, "k": k, "column_names": ", ".join(report["columns"]), "rows": rows}
    write_text(folder / "README.md", template.format(**figures))
