"""Images that only seem whole: zeros took the place of data, or data are missing."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from msm4sr_lite.dataset.image_names import ImageError
from msm4sr_lite.features.images import decode_image


def photo(width=400):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    return coarse.resize((width, width * 3 // 4), Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def damaged(content):
    half, hole = len(content) // 2, bytes(len(content) // 8)
    frame = content.index(b"\xff\xc0") + 5 if b"\xff\xc0" in content else 0
    yield content[:half] + b"\xff\xd9"
    yield content[:half] + bytes(half) + b"\xff\xd9"
    yield content[:half] + bytes(half)
    if frame:
        yield content[:half] + hole + content[half + len(hole) :]
        yield content[:frame] + struct.pack(">HH", 4000, 4000) + content[frame + 4 :]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_whose_data_are_damaged_is_refused_although_its_end_is_there(options, mode):
    for content in damaged(encoded(photo().convert(mode), "JPEG", **options)):
        with pytest.raises(ImageError, match=r"^x: cut short"):
            decode_image(content, "x")


def test_of_a_jpeg_with_others_behind_it_the_first_is_judged():
    content = encoded(photo(), "MPO", save_all=True, append_images=[photo(600)])
    first = content.index(b"\xff\xd9") + 2
    for whole in (content, content[:first], content[: first + 500]):
        np.testing.assert_allclose(decode_image(whole, "x"), photo(), atol=60)
    for cut in (content[: first // 2], content[: first // 2] + bytes(len(content) - first // 2)):
        with pytest.raises(ImageError, match=r"^x: cut short"):
            decode_image(cut, "x")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + bytes(3001)}),
        ("AVIF", {"speed": 10}),
    ],
)
def test_zeros_in_place_of_data_are_noticed(kind, options):
    content = encoded(photo(), kind, **options)
    np.testing.assert_allclose(decode_image(content, "x"), photo(), atol=60)
    start = max(content.find(b"VP8L"), content.find(b"VP8 "), content.find(b"mdat"))
    for share in (0.3, 0.9):
        cut = start + int(share * (len(content) - start - 3100 * ("exif" in options)))
        tail, hole = bytes(len(content) - cut), bytes(400)
        for wrong in (content[:cut] + tail, content[:cut] + hole + content[cut + len(hole) :]):
            with pytest.raises(ImageError, match=r"^x: (cut short|cannot be decoded)"):
                decode_image(wrong, "x")


@pytest.mark.parametrize(("kind", "options"), [("AVIF", {"speed": 10}), ("WEBP", {})])
@pytest.mark.parametrize("width", [8, 400])
def test_zeros_in_the_metadata_are_no_damage(kind, options, width):
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + bytes(3000)
    content = encoded(Image.new("RGB", (width, 300), "red"), kind, exif=exif, **options)
    assert decode_image(content, "x").size[0] == min(width, 400)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"optimize": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True, "method": 0, "quality": 0}),
        ("AVIF", {"speed": 10}),
    ],
)
@pytest.mark.parametrize("colour", ["white", (128, 128, 128), (127, 127, 127)])
@pytest.mark.parametrize("part", [0, 40, 150])
def test_a_whole_image_with_much_of_one_colour_is_read(kind, options, colour, part):
    image = Image.new("RGB", (1400, 1000), colour)
    image.paste(photo(400).crop((0, 0, 2 * part, part)))
    content = encoded(image, kind, **options)
    if kind == "JPEG":
        content += bytes(3000)  # behind the end anything may follow
    difference = np.asarray(decode_image(content, "x")).astype(int) - np.asarray(image)
    assert np.abs(difference).mean() < 4
