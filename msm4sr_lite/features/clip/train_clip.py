"""From a folder of labelled images to a model folder: read, split, train, measure, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import transformers

from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.features.clip.captions import PROMPT
from msm4sr_lite.features.clip.card import write_card
from msm4sr_lite.features.clip.images import load_images, usual_size
from msm4sr_lite.features.clip.labels import LabelledFolder, read_labels
from msm4sr_lite.features.clip.model import build_model, make_processor, make_tokenizer
from msm4sr_lite.features.clip.retrieval import label_retrieval
from msm4sr_lite.features.clip.training import (
    ClipTrainingConfig,
    Epoch,
    LabelledImages,
    train_epochs,
)
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import whole_folder, write_json, write_text

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
    callback: Callable[[Epoch], object] | None = None,
) -> dict[str, Any]:
    """Train a small dual encoder and write its folder, whole or not at all.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and images; see ``labels.read_labels``.
    out
        New folder for the model: an ordinary ``transformers`` folder with ``words.txt`` (the
        label words), ``evaluation.json`` and a model card.
    config
        Settings of the training; by default those of ``ClipTrainingConfig()``.
    columns
        The label columns; by default those with few different, short values.
    n_test
        Number of images held out for the final figures.
    seed
        Seed of weights, split, order, captions and augmentation.
    device
        Where it runs.
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
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: already exists; choose a new folder")
    transformers.utils.logging.disable_progress_bar()
    started = time.process_time()
    labelled, pixels, unreadable = _read(folder, columns, config.image_size)
    words = labelled.words
    split = _split(folder, len(pixels), n_test, seed)

    height, width = pixels.shape[2:]
    torch.manual_seed(seed)
    tokenizer, processor = make_tokenizer(words), make_processor((height, width))
    model = build_model(tokenizer, config.width)
    torch.nn.Module.to(model, device)
    index = {word: k for k, word in enumerate(words)}
    true = torch.zeros(len(pixels), len(words), dtype=torch.bool)
    for cells in labelled.labels.values():
        for row, cell in zip(true, cells, strict=True):
            row[[index[word] for word in cell]] = True
    word_columns = [[index[word] for word in column] for column in labelled.column_words.values()]
    training, validation = (
        LabelledImages(pixels[split[part]], true[split[part]])
        for part in ("training", "validation")
    )
    steps = train_epochs(
        model, tokenizer, processor, words, word_columns, training, validation, config, seed
    )
    epochs: list[Epoch] = []
    with bar(name="train-clip", unit="epoch", total=config.epochs) as progress:
        for epoch in steps:
            epochs.append(epoch)
            progress.set_postfix(loss=epoch.loss, average_precision=epoch.average_precision)
            progress.update()
            if callback:
                callback(epoch)
    best = [epoch for epoch in epochs if epoch.best][-1]
    say(
        f"train-clip: best epoch {best.number} of {len(epochs)}, average precision"
        f" {best.average_precision:.3f} on {len(validation.pixels)} validation images"
    )

    with whole_folder(out) as draft:
        for part in (model, tokenizer, processor):
            part.save_pretrained(draft)
        write_text(draft / "words.txt", "".join(f"{word}\n" for word in words))
        trained_on = labelled.select(split["training"])
        report: dict[str, Any] = {
            "name": out.name,
            "columns": list(labelled.labels),
            "words": len(words),
            "training_images": len(split["training"]),
            "unusable_images": labelled.missing + unreadable,
            "image_size": [height, width],
            "config": as_dict(config),
            "seed": seed,
            "epochs": len(epochs),
            "best_epoch": best.number,
            "weights": model.num_parameters(),
            "device": device,
            "minutes": round((time.process_time() - started) / 60, 1),
            "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
            "prompt": PROMPT,
            **{
                part: label_retrieval(draft, words, labelled.select(rows), trained_on, device)
                for part, rows in split.items()
                if rows and part != "training"
            },
            "log": [[e.number, round(e.loss, 4), round(e.average_precision, 4)] for e in epochs],
        }
        write_json(draft / "evaluation.json", report)
        write_card(draft, report)
    return report


def _read(
    folder: Path, columns: Sequence[str], side: int
) -> tuple[LabelledFolder, torch.Tensor, int]:
    """Read labels and images; say which are used, and return how many cannot be read."""
    labelled = read_labels(folder, columns)
    say(f"train-clip: label columns {', '.join(labelled.labels)}: {len(labelled.words)} words")
    if labelled.missing:
        say(f"train-clip: {labelled.missing} images of labels.csv are not in the folder")
    size = usual_size(folder, labelled.images, side)
    pixels, kept, problems = load_images(folder, labelled.images, size)
    if problems:
        say(f"train-clip: {len(problems)} images cannot be read, the first: {problems[0]}")
    return labelled.select(kept), pixels, len(problems)


def _split(folder: Path, count: int, n_test: int, seed: int) -> dict[str, list[int]]:
    """Split image indices at random into test, validation and training."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    start = n_test + max(MIN_VALIDATION, round(VALIDATION_SHARE * (count - n_test)))
    split = {
        "test": order[:n_test],
        "validation": order[n_test:start],
        "training": order[start:],
    }
    if n_test < 0 or len(split["training"]) < MIN_TRAINING:
        raise UserError(
            f"{folder}: {len(split['training'])} training images, but at least {MIN_TRAINING} are"
            f" needed ({count} usable, {len(split['validation'])} for validation, {n_test} for"
            " testing); add images or hold out fewer for testing"
        )
    return split
