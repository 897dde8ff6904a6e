"""Look for missing, misnamed, unreadable, blank and equal images, before hours of extraction.

Most images are judged by the first and last bytes of their file. An image is decoded if its end is
not where it should be, or if its file is so small that the image may have one colour only.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from msm4sr_lite.dataset.image_names import ImageError, find_image, list_folder, name_key
from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.features.images import image_size, open_image, read_image
from msm4sr_lite.progress import bar

MOST = 100_000  # images that are checked
N_EXAMPLES = 3
# Most bytes of a file of one colour: for all that is not pixels, and for each pixel.
PLAIN, PLAIN_PER_PIXEL = 5_000, 0.03
SAME_COLOUR = 4  # levels of 256 that JPEG may add
_END = re.compile(rb"\xff\xd9|IEND|;\Z")  # of a JPEG, a PNG and a GIF


def check_images(items: Iterable[Item], image_root: Path) -> dict[str, Any]:
    """Check the image files of items.

    Parameters
    ----------
    items
        The items of a dataset.
    image_root
        The folder that image names are relative to.

    Returns
    -------
    report
        ``checked``: number of different image names, at most 100,000. ``problems``: a list, most
        frequent first, of the ``problem``, the number of ``images`` and some ``examples``.
    """
    names = [*dict.fromkeys(name for item in items for name in item.images)][:MOST]
    found: dict[str, list[str]] = defaultdict(list)
    sizes: dict[int, dict[Path, str]] = defaultdict(dict)
    for name in bar(names, name="check: images", unit="image"):
        try:
            path = find_image(image_root, name)
            size = path.stat().st_size
            if _looks_wrong(path, size, *image_size(image_root, name)):
                colours = np.array(open_image(image_root, name).getextrema())
                if np.ptp(colours, axis=1).max() <= SAME_COLOUR:
                    found["one colour only"].append(name)
        except ImageError as error:
            reason = re.sub("'.*'", "several files", error.reason)
            found[re.sub(r" \(.*?\)", "", reason)].append(name)
            continue
        sizes[size][path] = name
        if path != image_root / name:
            found["found under a name with another spelling"].append(name)
    contents: dict[bytes, list[str]] = defaultdict(list)
    for name in [n for files in sizes.values() if len(files) > 1 for n in files.values()]:
        contents[hashlib.sha256(read_image(image_root, name)).digest()].append(name)
    groups = sorted(contents.values(), key=len, reverse=True)
    if equal := [name for names in groups for name in names[1:]]:
        found["the same content as another image"] = equal
    problems = []
    for problem, group in sorted(found.items(), key=lambda pair: -len(pair[1])):
        examples = [_example(image_root, name) for name in group[:N_EXAMPLES]]
        problems.append({"problem": problem, "images": len(group), "examples": examples})
    return {"checked": len(names), "problems": problems}


def _looks_wrong(path: Path, size: int, width: int, height: int) -> bool:
    """Return whether an image must be decoded to know whether it is right."""
    with path.open("rb") as file:
        file.seek(max(0, size - 64))
        return size < PLAIN + PLAIN_PER_PIXEL * width * height or not _END.search(file.read())


def _example(root: Path, name: str) -> str:
    """Return an image name, with the name of a file that may be meant if there is no such file."""
    meant = PurePosixPath(name.replace("\\", "/"))
    stem = PurePosixPath(name_key(meant.name)).stem
    with suppress(OSError):  # such as a name that is too long
        if (root / name).is_file():
            return name
        for folder in filter(Path.is_dir, [(root / meant).parent, root / "images", root]):
            for key, (file, *_) in list_folder(folder).items():
                if PurePosixPath(key).stem == stem and file.is_file():
                    return f"{name} (perhaps {file.relative_to(root).as_posix()})"
    return name
