"""Notice images that lack a part of their data although their decoder says nothing.

A download that was stopped often leaves a file of the right size, with zeros in place of data.
"""

import io
import re
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

END = b"\xff\xd9"  # of a JPEG
# Data of a JPEG, which go on after each of the markers at which decoding may wait for more.
FILLER = b"".join(b"\xff%c" % mark + bytes(range(1, 255)) for mark in range(0xD0, 0xD8))
FILLER = FILLER[2:] + FILLER
# A JPEG without its end is read if at most this share of it is missing.
MAX_MISSING = 0.05
HOLE = bytes(64)  # so many zeros may have taken the place of data


def is_damaged(image: ImageFile.ImageFile, content: bytes, start: int) -> bool:
    """Return whether too much of a decoded JPEG, WebP or AVIF image is missing.

    Parameters
    ----------
    image
        The image, decoded, but not changed.
    content
        The content of its file.
    start
        Where the data of a JPEG begin; not used for other formats.
    """
    if image.format in ("WEBP", "AVIF"):
        return _has_hole(image, content)
    return image.format == "JPEG" and _jpeg_is_damaged(image, content, start)


def _jpeg_is_damaged(image: Image.Image, content: bytes, start: int) -> bool:
    """Return whether too much of a JPEG is missing, of which libjpeg does not tell.

    The first pass of a progressive JPEG already shows the whole image. It counts as whole if the
    pass that adds the last bit of all details has begun. In other JPEGs, lost pixels are grey, and
    change if more data are put before the end of the file. If zeros took the place of data, there
    may also be data left after the last pixel, without which that pixel does not change.
    """

    def ends_grey(image: Image.Image) -> bool:
        pixel: Any = image.getpixel((-1, -1))
        return {127, 128}.issuperset(np.ravel(pixel).tolist())

    ends, progressive = ends_grey(image), image.info.get("progressive")
    if not (ends or progressive or content.find(HOLE, start) > 0):
        return False  # the usual case, before a long search for the end
    data = content[start : content.find(END, start)]
    if progressive:
        component = content[content.rindex(b"\xff\xda", 0, start) + 5 :][:1]  # luminance
        last = rb"\xff\xda\0\x08\x01" + re.escape(component) + rb".[\1-\x3f].[\0\x10]"
        return not re.search(last, data, re.DOTALL)

    def decoded(data: bytes) -> Image.Image:
        other = JpegImageFile(io.BytesIO(content[:start] + data + END))
        other.draft(image.mode, image.size)
        other.load()
        return other

    zeros = HOLE in data
    if not ends:
        return zeros and not ends_grey(decoded(data[:-64]))
    values = np.asarray(image)
    grey = ((values == 127) | (values == 128)).reshape(*values.shape[:2], -1).all(axis=2)
    if not zeros and np.mean(grey) <= MAX_MISSING:
        return False
    return decoded(data + FILLER).histogram() != image.histogram()


def _has_hole(image: Image.Image, content: bytes) -> bool:
    """Return whether zeros took the place of data in a WebP or AVIF image.

    AVIF data never hold so many. A whole WebP image, such as one of one colour, may hold them, but
    needs all of its data. With a hole, data are left over after the last pixel.
    """
    found = re.search(rb"(VP8[L ])(....)|mdat", content, re.DOTALL)
    if not found or content.find(HOLE, found.end()) < 0:
        return False
    if image.format == "AVIF":
        return HOLE not in image.info.get("exif", b"")
    less = max(0, int.from_bytes(found[2], "little") // 2 * 2 - len(HOLE))
    sizes = [size.to_bytes(4, "little") for size in (less + 12, less)]
    file = b"RIFF%bWEBP%b%b" % (sizes[0], found[1] + sizes[1], content[found.end() :][:less])
    with suppress(OSError):
        Image.open(io.BytesIO(file)).load()
        return True
    return False
