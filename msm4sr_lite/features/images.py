"""Open images of all common formats.

An unusable image does not stop the others. An `ImageError` says in one line what is wrong with it.
"""

import io
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from msm4sr_lite.dataset.image_names import ImageError, find_image
from msm4sr_lite.features.image_damage import END, is_damaged
from msm4sr_lite.printable import first_line, reason_of

Box = tuple[int, int, int, int]  # left, top, right, bottom
MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
# The shorter side of a large image after it was reduced. CLIP models read 224 to 512 pixels.
MIN_SIDE = 768
MEMORY = 504 * 2**20  # bytes for all images that are being decoded
MAX_FRAMES = 100  # frames in which a visible pixel is looked for
STRIP = 2**20  # pixels that are converted together
# EPS and similar formats are left out, since Pillow starts another program to draw them.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# How files begin that are often found under the name of an image, what they are, and the remedy.
_OTHER_FILES = {
    rb"\Z": "an empty file; download it again",
    rb"....ftyp(hei|hev|mif1|msf1)": "a HEIC image",
    rb"\xff\x0a|....JXL \r\n": "a JPEG XL image",
    rb"....jP  \r\n|\xff\x4f\xff\x51": "a JPEG 2000 image",
    rb"\0\0\x01\0": "an icon (ICO)",
    rb"8BPS|%!PS|%PDF": "a PDF, PostScript or Photoshop file",
    rb"II\*\0|MM\0\*": "a TIFF image that is cut short or of a kind that cannot be read",
    rb"....ftypavi": "an AVIF image that is cut short or of a kind that cannot be read",
    rb"(<\?xml.*)?(<!--.*)?(<!doctype svg.*)?<svg": "an SVG drawing",
    rb"....ftyp|\x1a\x45\xdf\xa3": "a video",
    rb"version https://git-lfs": "a Git LFS pointer; get the image with `git lfs pull`",
    rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf": "a packed file; unpack it",
    rb"(<!--.*)?<(!doctype )?html": "a web page; download the image again",
    rb"<\?xml|[{\[]\s*[\"{]": "a message in XML or JSON; download the image again",
    rb"[\s\x20-\x7e\x80-\xff]+\Z": "a text; download the image again",
}
# Pillow asks for memory in blocks. Freed ones of more than 32 MiB go back to the system. Smaller
# ones stay with the thread that had them, which adds up to one image for each thread.
Image.core.set_block_size(64 * 2**20)
# Some editors store what they did as a long text, which Pillow would refuse.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# Large images are refused below; Pillow's other warnings do not help the user.
warnings.filterwarnings("ignore", module=r"PIL\.")


_decoding: list[int] = []  # bytes of each image that is being decoded
_changed = threading.Condition()


@contextmanager
def memory_for(size: int) -> Iterator[None]:
    """Wait until other threads leave room for an image of ``size`` bytes, or for as much of it."""
    size = min(MEMORY, size)
    with _changed:
        _changed.wait_for(lambda: sum(_decoding) + size <= MEMORY)
        _decoding.append(size)
    try:
        yield
    finally:
        with _changed:
            _decoding.remove(size)
            _changed.notify_all()


def open_image(root: Path, name: str) -> Image.Image:
    """Open an image as RGB: upright, with transparency on white.

    Of several frames, the first with a visible pixel is taken. If one side is more than 20 times
    the other, only the middle of the image is kept: resized as a whole, the image would be
    enormous. If the shorter side has at least 1536 pixels, the image is reduced by a whole number
    to not less than 768, which saves time and memory.

    Parameters
    ----------
    root
        The folder that image names are relative to.
    name
        The image's path in it; other spellings are found, see ``find_image``.

    Raises
    ------
    ImageError
        If the file is missing, outside the folder, not an image, damaged, or has more than 64
        million pixels (which is checked before decoding). A JPEG whose end is missing is read if
        at most a twentieth of its area is lost.
    """
    return decode_image(read_image(root, name), name)


def read_image(root: Path, name: str) -> bytes:
    """Return the content of an image file in the folder ``root``."""
    try:
        return find_image(root, name).read_bytes()
    except OSError as error:
        raise ImageError(name, reason_of(error)) from None


def decode_image(content: bytes, name: str) -> Image.Image:
    """Return the RGB image in the content of a file; ``name`` is for the messages."""
    try:
        with open_header(io.BytesIO(content)) as image:
            return _decode(image, content)
    except UnidentifiedImageError:
        raise ImageError(name, what_file(content)) from None
    except Image.DecompressionBombError as error:
        most = f"at most {MAX_PIXELS // 10**6} million"
        raise ImageError(name, f"too many pixels ({error}); scale it down to {most}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise any exception
        reason = f"cannot be decoded ({first_line(error)}); replace it"
        webp_size = int.from_bytes(content[4:8], "little") + 8 if content[:4] == b"RIFF" else 0
        if "truncated" in str(error).lower() or webp_size > len(content):
            if content[:2] == b"\xff\xd8" and content[-2:] != END:
                with suppress(ImageError):  # browsers show a JPEG without its end, too
                    return decode_image(content + END, name)
            reason = "cut short: the end of the file is missing; download it again"
        raise ImageError(name, reason) from None


def open_header(file: IO[bytes]) -> ImageFile.ImageFile:
    """Read an image's header, and nothing else."""
    image = Image.open(file)
    if image.format not in FORMATS:
        raise UnidentifiedImageError
    if image.format == "MPO":  # a JPEG with others behind it, which are not needed
        file.seek(0)
        image = JpegImageFile(file)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{width} x {height}")
    return image


def what_file(content: bytes) -> str:
    """Return what a file is that is not an image of the known formats, and how to replace it.

    >>> what_file(b"<html>")
    'a web page; download the image again'
    """
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16
        start = start[2:].replace(b"\0", b"")
    flags = re.IGNORECASE | re.DOTALL
    kinds = (kind for first, kind in _OTHER_FILES.items() if re.match(first, start, flags))
    what = next(kinds, "not an image, or damaged")
    return what if ";" in what else f"{what}; save it as one of {', '.join(FORMATS)}"


def image_size(root: Path, name: str) -> tuple[int, int]:
    """Return width and height of an upright image, from its header alone."""
    try:
        with find_image(root, name).open("rb") as file, open_header(file) as image:
            # Without this test, Pillow would decode a PNG to look for EXIF data behind the pixels.
            turned = "exif" in image.info and image.getexif().get(0x0112, 1) >= 5
            return image.size[::-1] if turned else image.size
    except Exception:  # the opener says what is wrong
        return open_image(root, name).size


def _decode(image: ImageFile.ImageFile, content: bytes) -> Image.Image:
    """Decode an image whose header was read; raise ``OSError`` if too much of it is missing."""
    start = image.fp.tell() if image.format == "JPEG" and image.fp else 0
    pixels = image.width * image.height
    # Pillow reads grey values of more than 8 bits in a TIFF as they are, even if 0 means white.
    inverted = image.mode[0] in "IF" and getattr(image, "tag_v2", {}).get(262) == 0
    if (factor := min(image.size) // MIN_SIDE) > 1:  # JPEG only: decode at 1/2, 1/4 or 1/8
        image.draft(image.mode, (image.width // factor, image.height // factor))
    need = 8 * image.width * image.height  # a copy is made to turn it upright
    need += 6 * pixels if image.info.get("progressive") else 0  # coefficients of all pixels
    with memory_for(need):
        image.load()
        if is_damaged(image, content, start):
            raise OSError("truncated")
        with suppress(EOFError):
            while image.tell() < MAX_FRAMES and _is_invisible(image):
                image.seek(image.tell() + 1)
        with suppress(Exception):  # damaged EXIF data
            ImageOps.exif_transpose(image, in_place=True)
        rgb = _as_rgb(_middle(image))
        rgb = ImageOps.invert(rgb) if inverted else rgb
        if rgb is not image:
            image.close()  # frees its memory before another thread takes it
        return rgb


def _is_invisible(image: Image.Image) -> bool:
    """Return whether an image has several frames, and no pixel of this one is visible."""
    frames = image.has_transparency_data and getattr(image, "is_animated", False)
    return bool(frames) and image.convert("RGBA").getchannel("A").getextrema()[1] == 0


def _middle(image: Image.Image) -> Image.Image:
    """Crop an image with an extreme aspect ratio to its middle."""
    width, height = (min(side, MAX_ASPECT * min(image.size)) for side in image.size)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB and reduce a large image, strip by strip, which saves memory."""
    factor = max(1, min(image.size) // MIN_SIDE)
    if factor == 1 and image.mode == "RGB" and not image.has_transparency_data:
        return image
    rgb = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, STRIP // (image.width * factor))
    tops = range(0, image.height, rows)
    boxes = [(0, top, image.width, min(top + rows, image.height)) for top in tops]
    deep = image.mode[0] in "IF"  # 16 bits per pixel or more, which Pillow would clip, not scale
    black, white = _grey_range(image, boxes) if deep else (0.0, 255.0)
    for box in boxes:
        strip = image.crop(box)
        if deep:
            values = np.nan_to_num(np.asarray(strip, dtype=np.float64), nan=black)
            grey = (values.clip(black, white) - black) * (255 / (white - black)) + 0.5
            grey[values == image.info.get("transparency")] = 255
            strip = Image.fromarray(grey.astype(np.uint8))
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        rgb.paste(strip.convert("RGB").reduce(factor), (0, box[1] // factor))
    return rgb


def _grey_range(image: Image.Image, boxes: Sequence[Box]) -> tuple[float, float]:
    """Return the values of black and white in an image with more than 8 bits per pixel."""
    low = high = 0.0
    for values in (np.asarray(image.crop(box)) for box in boxes):
        finite = values[np.isfinite(values)]
        low, high = (float(f(finite, initial=at)) for f, at in ((np.min, low), (np.max, high)))
    if low < -high / 100:  # signed values, such as measurements; not rounding errors below 0
        return low, high
    # What fits into 8 bits may have been written by a program that knows no more.
    if image.mode == "F" and high <= 2:  # 0 to 1; a little more after sharpening
        return 0.0, 1.0
    return 0.0, 255.0 if high <= 255 else max(65535.0, high)
