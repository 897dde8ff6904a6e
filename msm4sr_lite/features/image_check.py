"""Look for missing, misnamed, unreadable, blank and equal images, before hours of extraction.

Most images are judged by the bytes of their file. An image is decoded if its end is not where it
should be, if zeros may have taken the place of data, or if the file is so small that the image may
have one colour only.
"""

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from msm4sr_lite.dataset.image_names import ImageError, list_folder, name_key
from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.features.image_damage import HOLE
from msm4sr_lite.features.images import decode_image, open_header, read_image
from msm4sr_lite.progress import bar

MOST = 100_000  # images that are checked
N_EXAMPLES = 3
# Most bytes of a file of one colour: for all that is not pixels, and for each pixel.
PLAIN, PLAIN_PER_PIXEL = 5_000, 0.03
RAW = (b"BM", b"II", b"MM")  # formats in which black is zeros: BMP and TIFF
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
    contents: dict[bytes, list[str]] = defaultdict(list)
    for name in bar(names, name="check: images", unit="image"):
        try:
            content = read_image(image_root, name)
            if _looks_wrong(content):
                colours = np.array(decode_image(content, name).getextrema())
                if np.ptp(colours, axis=1).max() <= SAME_COLOUR:
                    found["one colour only"].append(name)
                elif content.startswith(RAW) and content.endswith(HOLE):
                    found["cut short, or black at the end: look at it"].append(name)
        except ImageError as error:
            reason = re.sub(r" \(.*\)", "", error.reason)
            found[re.sub("'.*'", "several files", reason)].append(name)
            continue
        contents[hashlib.sha256(content).digest()].append(name)
        if not (image_root / name).is_file():
            found["found under a name with another spelling"].append(name)
    groups = sorted(contents.values(), key=len, reverse=True)
    if equal := [name for names in groups for name in names[1:]]:
        found["the same content as another image"] = equal
    problems = []
    for problem, group in sorted(found.items(), key=lambda pair: -len(pair[1])):
        examples = [_example(image_root, name) for name in group[:N_EXAMPLES]]
        problems.append({"problem": problem, "images": len(group), "examples": examples})
    return {"checked": len(names), "problems": problems}


def _looks_wrong(content: bytes) -> bool:
    """Return whether an image must be decoded to know whether it is right."""
    with suppress(Exception), open_header(io.BytesIO(content)) as image:
        plain = PLAIN + PLAIN_PER_PIXEL * image.width * image.height
        return len(content) < plain or HOLE in content or not _END.search(content[-64:])
    return True  # decoding says what is wrong


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
