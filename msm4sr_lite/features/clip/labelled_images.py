"""Read a folder of labelled images, and augment the images without changing their labels.

``labels.csv`` names each image and its labels; or each class has a folder of images.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
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

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.image_names import ImageError, find_image, name_key
from msm4sr_lite.dataset.tables import read_rows
from msm4sr_lite.features.dictionary import word_list
from msm4sr_lite.features.images import FORMATS, image_size, open_image
from msm4sr_lite.printable import UNPRINTABLE
from msm4sr_lite.progress import bar

NO_CLASSES = {"train", "training", "val", "valid", "validation", "test", "images"}
NO_LABEL = {"", "-", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown"}
MAX_LABEL_LENGTH = 40  # characters; longer values are texts
# A label column has at most this many different values per image, or at most this many in all.
MAX_DISTINCT_SHARE = 0.05
MAX_DISTINCT = 20
MIN_WORD_SHARE = 0.01  # share of the texts of a column that must contain a word


def read_labels(folder: Path, columns: Sequence[str] = ()) -> tuple[pd.DataFrame, int]:
    """Read a folder of labelled images.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` and the images; or one folder of images for each class, whose name is
        the label, with underscores for spaces.
    columns
        The label columns; by default those with few different, short values. If a column of long
        texts is named, its labels are the words that occur in many of the texts.

    Returns
    -------
    labels
        One row per image and one column per label column. The index holds the image names, relative
        to the folder. Each cell is a tuple of label words, which may be empty.
    missing
        Number of rows of ``labels.csv`` that name a missing file.

    Raises
    ------
    UserError
        If there is no table or no image, a column does not exist, or none can be used.
    """
    path = folder / "labels.csv"
    if path.is_file():
        table = pd.DataFrame([cells for _, cells in read_rows(path)], dtype=str)
    else:
        path, table, columns = folder, _class_folders(folder), columns or ["class"]
    table = table.drop(columns="", errors="ignore")
    if table.empty:
        raise UserError(f"{path}: no image in the table; write one row per image")
    image = "image" if "image" in table else str(table.columns[0])
    files = _find(folder, table.pop(image))
    table = table.set_axis(files)[[file is not None for file in files]]
    if not len(table):
        problem = f"must name the image files, but no name is that of a file in {folder}"
        raise UserError(f"{path}: column {image!r} {problem}")
    # Without a leading "#", which would start a comment in words.txt.
    texts = table.map(clean).rename(columns=clean).apply(lambda cells: cells.str.lstrip("# "))
    if len(twice := texts.columns[texts.columns.duplicated()]):
        raise UserError(f"{path}: two columns are named {twice[0]!r}; rename one of them")
    others = ", ".join(texts) or "none"
    if unknown := [name for name in columns if name not in texts]:
        raise UserError(f"{path}: no label column {unknown[0]!r}; the columns are: {others}")
    chosen = list(columns) or [name for name in texts if _is_label(texts[name])]
    if not chosen:
        problem = "no column with few different, short labels"
        raise UserError(f"{path}: {problem}; name the label columns (columns) among: {others}")
    labels = pd.DataFrame({name: _labels(texts[name]) for name in chosen}, index=texts.index)
    # "Black", "black" and "BLACK" get the spelling of the first: the tokenizer ignores case.
    first: dict[str, str] = {}
    labels = labels.map(lambda words: tuple(first.setdefault(name_key(w), w) for w in words))
    if empty := [name for name, words in label_words(labels).items() if len(words) < 2]:
        problem = f"column {empty[0]!r} has fewer than two different labels"
        raise UserError(f"{path}: {problem}; leave it out of the label columns")
    labels = labels[labels.map(bool).any(axis=1)]
    # Rows of one image are merged. Otherwise it could be in both training and test.
    merged = labels.groupby(level=0, sort=False).agg(list)
    merged = merged.map(lambda cells: tuple(dict.fromkeys(chain(*cells))))
    return merged, len(files) - len(table)


def clean(text: str) -> str:
    r"""Return a label as one line in one Unicode form, without colours and control characters.

    >>> clean("\x1b[31mred \n mug")
    'red mug'
    """
    text = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", " ".join(text.split()))
    return unicodedata.normalize("NFC", UNPRINTABLE.sub("", text)).strip()


def label_words(labels: pd.DataFrame) -> dict[str, list[str]]:
    """Return the label words of each column in alphabetical order."""
    return {str(name): sorted(set().union(*labels[name])) for name in labels}


def _find(folder: Path, names: "pd.Series[str]") -> list[str | None]:
    """Find images by path, or by name with or without ending; None if there is no such file.

    Of several files, the one in the folder itself comes first, then that in ``images/``.
    """
    known: dict[str, set[Path]] = defaultdict(set)
    for file in _image_files(folder):
        for form in (file, Path(file.name), file.with_suffix(""), Path(file.stem)):
            known[name_key(form.as_posix())].add(file)

    def find(name: str) -> str | None:
        with suppress(ImageError):
            path = find_image(folder, name)
            return (path.parent.resolve() / path.name).relative_to(folder.resolve()).as_posix()
        files = known.get(name_key(name.replace("\\", "/")), set())
        for place in (Path(), Path("images")):
            files = {file for file in files if file.parent == place} or files
        if len(files) > 1:
            some = " or ".join(map(str, sorted(files)[:2]))
            raise UserError(f"{folder}: image {name!r} may be {some}; give its path")
        return next((file.as_posix() for file in files), None)

    return [find(name) for name in names.str.strip()]


def _image_files(folder: Path) -> list[Path]:
    """Return the paths in a folder of all files that may be images; hidden ones are left out."""
    endings = {"", *(e for e, kind in Image.registered_extensions().items() if kind in FORMATS)}
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    hidden = re.compile(r"(.*/)?(\.|__MACOSX/)")
    found = (file for file in files if file.suffix.lower() in endings)
    return [file for file in found if not hidden.match(file.as_posix())]


def _class_folders(folder: Path) -> pd.DataFrame:
    """Return one row for each image in a folder of class folders: its path and its class."""
    files = [file for file in _image_files(folder) if len(file.parts) > 1]
    classes = [file.parts[0].replace("_", " ") for file in files]
    if not files:
        remedy = "write one row per image: its name, then its labels; or make a folder per class"
        raise UserError(f"{folder / 'labels.csv'}: no such file; {remedy}")
    if len(found := {*classes}) < 2 or {name.lower() for name in found} <= NO_CLASSES:
        problem = f"folders of two or more classes are needed, not {' and '.join(sorted(found))}"
        raise UserError(f"{folder}: {problem}; give the folder that holds a folder per class")
    return pd.DataFrame({"image": [file.as_posix() for file in files], "class": classes})


def _is_label(cells: "pd.Series[str]") -> bool:
    """Return whether a column has few different, short values that are not all numbers."""
    values = {cell for cell in cells if cell.lower() not in NO_LABEL}
    return (
        2 <= len(values) <= max(MAX_DISTINCT, MAX_DISTINCT_SHARE * len(cells))
        and max(map(len, values)) <= MAX_LABEL_LENGTH
        and not all(re.fullmatch(r"[\d.,:/ -]+", value) for value in values)
    )


def _labels(cells: "pd.Series[str]") -> list[list[str]]:
    """Return each image's labels: the value itself, or the common words of a column of texts."""
    is_short = cells.str.len().max() <= MAX_LABEL_LENGTH
    if is_short and cells.nunique() <= max(MAX_DISTINCT, len(cells) / 2):
        return [[] if cell.lower() in NO_LABEL else [cell] for cell in cells]
    found = [dict.fromkeys(re.findall(r"[^\W\d_]{3,}", cell.lower())) for cell in cells]
    counts = Counter(word for words in found for word in words)
    least, stop = max(2, MIN_WORD_SHARE * len(cells)), set(word_list("stop_words"))
    return [[w for w in words if counts[w] >= least and w not in stop] for words in found]


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
    """Open and resize labelled images as the model's image processor does.

    Parameters
    ----------
    folder
        The folder of the images.
    labels
        Their labels, as ``read_labels`` returns them.
    side
        Side of a square image in pixels; images of another shape get the same area.

    Returns
    -------
    images, problems
        The readable images, and one message for each image that cannot be read.
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
    """Mirror, rotate, zoom, shift and brighten images slightly; the result has values 0 to 1.

    The three colour channels change almost alike, so that dark blue stays dark blue. ``distortion``
    scales rotation, zoom and the change of aspect ratio; 0 switches them off.
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
    x = torch.stack([mirror * wide * turn.cos(), -high * turn.sin() * ratio, right], 1)
    y = torch.stack([mirror * wide * turn.sin() / ratio, high * turn.cos(), down], 1)
    grid = F.affine_grid(torch.stack([x, y], 1), list(pixels.shape), align_corners=False)
    moved = F.grid_sample(
        pixels.float() / 255, grid.to(pixels.device), padding_mode="border", align_corners=False
    )
    light = between(0.92, 1.08, batch, 1, 1, 1) * between(0.97, 1.03, batch, 3, 1, 1)
    return (moved * light.to(pixels.device)).clamp(0, 1)


def usual_size(folder: Path, names: Iterable[str], side: int) -> tuple[int, int]:
    """Return a height and width with the images' median aspect ratio and an area of ``side``².

    Both are multiples of 16 pixels; the longer side is at most twice the shorter one.
    """
    ratios = []
    for name in names:
        with suppress(ImageError):  # load_images reports this image
            width, height = image_size(folder, name)
            ratios.append(height / width)
    ratio = min(2.0, max(0.5, float(np.median(ratios or [1.0]))))
    height, width = (max(1, round(side * ratio**power / 16)) for power in (0.5, -0.5))
    return 16 * height, 16 * width
