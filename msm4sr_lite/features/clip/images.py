"""Training images in memory, and augmentations that keep every label true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from msm4sr_lite.features.clip.labels import label_words
from msm4sr_lite.features.images import ImageError, open_image
from msm4sr_lite.progress import bar


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory with the words that are true of them.

    Attributes
    ----------
    pixels
        uint8 ``(images, 3, height, width)``.
    labels
        The labels of these images, as ``read_labels`` returns them.
    words
        All label words.
    columns
        The word indices of each label column.
    true
        Which words are true of each image, bool ``(images, words)``.
    """

    pixels: UInt8[Tensor, "images 3 height width"]
    labels: pd.DataFrame
    words: list[str]
    columns: list[list[int]]
    true: Bool[Tensor, "images words"]


def load_images(folder: Path, labels: pd.DataFrame, side: int) -> tuple[LabelledImages, list[str]]:
    """Open and resize labelled images in the way of the model's image processor.

    Parameters
    ----------
    folder
        The folder of the images.
    labels
        Their labels, as ``read_labels`` returns them.
    side
        Side of a square image in pixels; other shapes get the same area.

    Returns
    -------
    images, problems
        The readable images, and one message for each other image.
    """
    height, width = usual_size(folder, labels.index, side)
    rows, kept, problems = [torch.empty(0, 3, height, width, dtype=torch.uint8)], [], []
    for name in bar(labels.index, name="train-clip: read images", unit="image"):
        try:
            image = open_image(folder, name).resize((width, height), Image.Resampling.BICUBIC)
        except ImageError as error:
            problems.append(str(error))
            continue
        rows.append(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])
        kept.append(name)
    labels = labels.loc[kept]
    columns = label_words(labels).values()
    words = list(dict.fromkeys(chain(*columns)))
    said = [set(chain(*cells)) for cells in labels.to_numpy()]
    true = torch.tensor([[word in some for word in words] for some in said])
    indices = [[words.index(word) for word in column] for column in columns]
    return LabelledImages(torch.cat(rows), labels, words, indices, true), problems


def augment(
    pixels: UInt8[Tensor, "batch 3 height width"],
    generator: torch.Generator,
    distortion: float = 1.0,
) -> Float[Tensor, "batch 3 height width"]:
    """Mirror, rotate, zoom, shift and brighten images a little; values 0 to 1.

    The three colour channels change almost alike, so that dark blue stays dark blue. ``distortion``
    scales rotation, zoom and change of aspect ratio; 0 switches them off.
    """
    batch, _, height, width = pixels.shape

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*(shape or (batch,)), generator=generator)

    mirror = torch.where(between(0, 1) < 0.5, -1.0, 1.0)
    zoom, aspect = between(1 - 0.25 * distortion, 1), (distortion * between(-0.1, 0.1)).exp()
    turn = distortion * between(-0.14, 0.14)
    wide, high = zoom * aspect, zoom / aspect
    right = between(-1, 1) * ((1 - wide).clamp(min=0) + 0.05)
    down = between(-1, 1) * ((1 - high).clamp(min=0) + 0.05)
    ratio = height / width  # grid_sample counts both axes from -1 to 1
    affine = torch.stack(
        [
            torch.stack([mirror * wide * turn.cos(), -high * turn.sin() * ratio, right], 1),
            torch.stack([mirror * wide * turn.sin() / ratio, high * turn.cos(), down], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(
        pixels.float() / 255, grid.to(pixels.device), padding_mode="border", align_corners=False
    )
    light = between(0.92, 1.08, batch, 1, 1, 1) * between(0.97, 1.03, batch, 3, 1, 1)
    return (moved * light.to(pixels.device)).clamp(0, 1)


def usual_size(folder: Path, names: Iterable[str], side: int) -> tuple[int, int]:
    """Return a height and width with the images' median shape and the area of ``side`` squared.

    Both are multiples of 16 pixels; the longer side is at most twice the shorter one.
    """
    ratios = []
    for name in names:
        try:
            with Image.open(folder / name) as image:  # reads the header only
                ratios.append(image.height / image.width)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # load_images counts it
    ratio = min(2.0, max(0.5, float(np.median(ratios or [1.0]))))
    height, width = (max(1, round(side * ratio**power / 16)) for power in (0.5, -0.5))
    return 16 * height, 16 * width
