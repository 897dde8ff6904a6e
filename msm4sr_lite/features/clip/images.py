"""Training images in memory, and augmentations that keep every label true."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from msm4sr_lite.features.images import ImageError, open_image
from msm4sr_lite.progress import bar


def load_images(
    folder: Path, names: Sequence[str], size: tuple[int, int]
) -> tuple[UInt8[Tensor, "images 3 height width"], list[int], list[str]]:
    """Open and resize images in the way of the model's image processor.

    Parameters
    ----------
    folder, names
        The images.
    size
        Height and width in pixels.

    Returns
    -------
    pixels, kept, problems
        The readable images, their indices in ``names``, and one message for each other image.
    """
    height, width = size
    rows, kept, problems = [], [], []
    for k, name in enumerate(bar(names, name="train-clip: read images", unit="image")):
        try:
            image = open_image(folder, name)
        except ImageError as error:
            problems.append(str(error))
            continue
        resized = image.resize((width, height), Image.Resampling.BICUBIC)
        rows.append(torch.from_numpy(np.array(resized)).permute(2, 0, 1))
        kept.append(k)
    pixels = torch.stack(rows) if rows else torch.empty(0, 3, height, width, dtype=torch.uint8)
    return pixels, kept, problems


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


def usual_size(folder: Path, names: Sequence[str], side: int) -> tuple[int, int]:
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
    height, width = (
        max(16, 16 * round(side * stretch / 16)) for stretch in (ratio**0.5, ratio**-0.5)
    )
    return height, width
