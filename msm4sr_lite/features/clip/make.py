"""From a labelled picture folder to a model folder: read, split, train, measure, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import transformers

from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.captions import PROMPT
from msm4sr_lite.features.clip.card import write_card
from msm4sr_lite.features.clip.images import load_images, usual_size
from msm4sr_lite.features.clip.labels import LabelledFolder, read_labels
from msm4sr_lite.features.clip.model import build_model, make_processor, make_tokenizer
from msm4sr_lite.features.clip.retrieval import label_retrieval
from msm4sr_lite.features.clip.training import (
    Batchable,
    ClipTrainingConfig,
    Epoch,
    train,
)
from msm4sr_lite.store.files import whole_folder, write_json, write_text

HELD_OUT = 0.1  # share of the pictures that decide when to stop,
FEWEST_HELD_OUT = 20  # at least this many
FEWEST = 50  # pictures to learn from


def train_clip(
    folder: Path,
    out: Path,
    columns: Iterable[str] = (),
    recipe: ClipTrainingConfig | None = None,
    test_pictures: int = 0,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[Iterable[Any], str, int], Iterable[Any]] = lambda steps, name, total: steps,
) -> dict[str, Any]:
    """Train a small dual encoder and write its folder, whole or not at all.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and pictures; see ``labels.read_labels``.
    out
        Where the model goes: an ordinary `transformers` folder with ``words.txt`` (the label
        words), ``evaluation.json`` and a card.
    columns
        The label columns; none: those with few different, short values.
    recipe
        How to train.
    test_pictures
        So many pictures are kept apart, neither learnt from nor used to decide when to stop.
    device
        Where it runs.
    say, progress
        Told what the user should know; wrapped around long loops.

    Returns
    -------
    report
        What ``evaluation.json`` holds.

    Raises
    ------
    UserError
        If the folder or a setting cannot be used, or too few pictures are left to learn from.
    """
    recipe = recipe or ClipTrainingConfig()
    transformers.utils.logging.disable_progress_bar()
    started = time.process_time()
    labelled, pixels, problems = _read(folder, list(columns), recipe.size, say, progress)
    words = labelled.words
    order = torch.randperm(
        len(pixels), generator=torch.Generator().manual_seed(recipe.seed)
    ).tolist()
    cut = test_pictures + max(FEWEST_HELD_OUT, round(HELD_OUT * (len(pixels) - test_pictures)))
    parts = {"test": order[:test_pictures], "validation": order[test_pictures:cut]}
    learn = order[cut:]
    if test_pictures < 0 or len(learn) < FEWEST:
        raise UserError(
            f"{folder}: {len(learn)} pictures to learn from, but at least {FEWEST} are needed"
            f" ({len(pixels)} usable, {len(parts['validation'])} kept to decide when to stop,"
            f" {test_pictures} to test); add pictures or lower --test-pictures"
        )

    height, width = pixels.shape[2:]
    torch.manual_seed(recipe.seed)
    tokenizer, processor = make_tokenizer(words), make_processor((height, width))
    model = build_model(tokenizer, recipe.width)
    torch.nn.Module.to(model, device)
    number = {word: k for k, word in enumerate(words)}
    true = torch.zeros(len(pixels), len(words), dtype=torch.bool)
    for cells in labelled.labels.values():
        for row, cell in zip(true, cells, strict=True):
            row[[number[word] for word in cell]] = True
    kinds = [[number[word] for word in own] for own in labelled.column_words.values()]
    learning, held_out = (
        Batchable(pixels[rows], true[rows]) for rows in (learn, parts["validation"])
    )
    steps = train(model, tokenizer, processor, words, kinds, learning, held_out, recipe)
    epochs: list[Epoch] = list(progress(steps, "train-clip", recipe.epochs))
    best = [epoch for epoch in epochs if epoch.best][-1]
    say(
        f"train-clip: best epoch {best.number} of {len(epochs)}, average precision"
        f" {best.score:.3f} on {len(held_out.pixels)} held-out pictures"
    )

    with whole_folder(out) as draft:
        for part in (model, tokenizer, processor):
            part.save_pretrained(draft)
        write_text(draft / "words.txt", "".join(f"{word}\n" for word in words))
        learnt = labelled.choose(learn)
        report: dict[str, Any] = {
            "name": out.name,
            "columns": list(labelled.labels),
            "words": len(words),
            "learnt": len(learn),
            "unusable_pictures": labelled.missing + len(problems),
            "picture": [height, width],
            "recipe": asdict(recipe),
            "epochs": len(epochs),
            "best_epoch": best.number,
            "weights": model.num_parameters(),
            "device": device,
            "minutes": round((time.process_time() - started) / 60, 1),
            "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
            "prompt": PROMPT,
            **{
                name: label_retrieval(draft, words, labelled.choose(rows), learnt, device)
                for name, rows in parts.items()
                if rows
            },
            "log": [
                [epoch.number, round(epoch.loss, 4), round(epoch.score, 4)] for epoch in epochs
            ],
        }
        write_json(draft / "evaluation.json", report)
        write_card(draft, report)
    return report


def _read(
    folder: Path, columns: list[str], side: int, say: Callable[[str], None], progress: Any
) -> tuple[LabelledFolder, torch.Tensor, list[str]]:
    """Read labels and pictures; tell what is used and what cannot be."""
    labelled = read_labels(folder, columns)
    say(f"train-clip: label columns {', '.join(labelled.labels)}: {len(labelled.words)} words")
    if labelled.missing:
        say(f"train-clip: {labelled.missing} pictures of labels.csv are not in the folder")
    size = usual_size(folder, labelled.pictures, side)
    pixels, kept, problems = load_images(
        folder, labelled.pictures, size, lambda names: progress(names, "pictures", len(names))
    )
    if problems:
        say(f"train-clip: {len(problems)} pictures cannot be read, the first: {problems[0]}")
    return labelled.choose(kept), pixels, problems
