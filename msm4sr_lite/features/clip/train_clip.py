"""From a folder of labelled images to a model folder: read, split, train, measure, write."""

import time
from collections.abc import Callable, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers

from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.features.clip.captions import PROMPT
from msm4sr_lite.features.clip.images import load_images, usual_size
from msm4sr_lite.features.clip.labels import label_retrieval, label_words, read_labels
from msm4sr_lite.features.clip.model import build_model, make_tokenizer
from msm4sr_lite.features.clip.training import (
    ClipTrainingConfig,
    Epoch,
    LabelledImages,
    train_epochs,
)
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import whole_folder, write_json, write_text
from msm4sr_lite.store.fingerprint import versions

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
    labels, missing = read_labels(folder, columns)
    names = list(labels.index)
    size = usual_size(folder, names, config.image_size)
    pixels, kept, problems = load_images(folder, names, size)
    labels = labels.iloc[kept]
    column_words = label_words(labels)
    words = list(dict.fromkeys(chain(*column_words.values())))
    say(f"train-clip: label columns {', '.join(column_words)}: {len(words)} words")
    if missing:
        say(f"train-clip: {missing} images of labels.csv are not in the folder")
    if problems:
        say(f"train-clip: {len(problems)} images cannot be read, the first: {problems[0]}")
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(seed)).tolist()
    test, rest = order[:n_test], order[n_test:]
    n_validation = max(MIN_VALIDATION, round(VALIDATION_SHARE * len(rest)))
    validation, training = rest[:n_validation], rest[n_validation:]
    if n_test < 0 or len(training) < MIN_TRAINING:
        raise UserError(
            f"{folder}: {len(training)} training images, but at least {MIN_TRAINING} are needed"
            f" ({len(kept)} usable, {len(validation)} for validation, {n_test} for testing); add"
            " images or hold out fewer for testing"
        )

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(words)
    shape = dict(zip(("height", "width"), size, strict=True))
    processor = transformers.CLIPImageProcessorPil(size=shape, do_center_crop=False)
    model = build_model(tokenizer, config.width)
    torch.nn.Module.to(model, device)
    index = {word: k for k, word in enumerate(words)}
    true = torch.zeros(len(kept), len(words), dtype=torch.bool)
    for row, cells in zip(true, labels.to_numpy(), strict=True):
        row[[index[word] for word in chain(*cells)]] = True
    word_columns = [[index[word] for word in column] for column in column_words.values()]
    seen, unseen = (LabelledImages(pixels[rows], true[rows]) for rows in (training, validation))
    steps = train_epochs(
        model, tokenizer, processor, words, word_columns, seen, unseen, config, seed
    )
    epochs: list[Epoch] = []
    progress = bar(steps, name="train-clip", unit="epoch", total=config.epochs)
    for epoch in progress:
        epochs.append(epoch)
        progress.set_postfix(loss=epoch.loss, average_precision=epoch.average_precision)
        if callback:
            callback(epoch)
    best = [epoch for epoch in epochs if epoch.best][-1]
    say(
        f"train-clip: best epoch {best.number} of {len(epochs)}, average precision"
        f" {best.average_precision:.3f} on {len(validation)} validation images"
    )

    with whole_folder(out) as draft:
        for part in (model, tokenizer, processor):
            part.save_pretrained(draft)
        write_text(draft / "words.txt", "".join(f"{word}\n" for word in words))
        trained_on = labels.iloc[training]
        report: dict[str, Any] = {
            "name": out.name,
            "columns": list(column_words),
            "words": len(words),
            "training_images": len(training),
            "unusable_images": missing + len(problems),
            "image_size": list(size),
            "config": as_dict(config),
            "seed": seed,
            "epochs": len(epochs),
            "best_epoch": best.number,
            "weights": model.num_parameters(),
            "device": device,
            "minutes": round((time.process_time() - started) / 60, 1),
            "versions": versions("torch", "transformers"),
            "prompt": PROMPT,
            **{
                part: label_retrieval(draft, words, folder, labels.iloc[rows], trained_on, device)
                for part, rows in (("test", test), ("validation", validation))
                if rows
            },
            "log": [[e.number, round(e.loss, 4), round(e.average_precision, 4)] for e in epochs],
        }
        write_json(draft / "evaluation.json", report)
        write_card(draft, report)
    return report


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights, with the figures of ``evaluation.json``."""
    k, rows = len(report["columns"]), []
    for part in ("validation", "test"):
        if found := report.get(part):
            numbers = (
                of[f]
                for of in (found, found["by_frequency"])
                for f in (f"precision@{k}", "recall@10")
            )
            cells = [f"{found['images']} of {part}", *(f"{number:.3f}" for number in numbers)]
            rows.append(f"| {' | '.join(cells)} |")
    template = resources.files("msm4sr_lite.features.clip").joinpath("model_card.txt")
    names = ", ".join(report["columns"])
    text = template.read_text("utf-8").format(
        **report, k=k, column_names=names, rows="\n".join(rows)
    )
    write_text(folder / "README.md", text)
