"""Images of all kinds, and the messages about those that cannot be used."""

import os
import runpy
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import memory_cache

from msm4sr_lite.config import UserError
from msm4sr_lite.features import images as module
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.images import ImageError, extract_keywords, open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer


def save(folder, name, image, **options):
    image.save(folder / name, **options)
    return name


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif"])
def test_any_mode_and_format_becomes_rgb(tmp_path, mode, ending):
    image = Image.new("RGB", (5, 3), "red").convert(mode)
    if (ending, mode) in {
        ("jpg", "RGBA"),
        ("jpg", "LA"),
        ("jpg", "P"),
        ("png", "CMYK"),
        ("gif", "CMYK"),
    }:
        pytest.skip("this format cannot hold this mode")
    opened = open_image(tmp_path, save(tmp_path, f"x.{ending}", image))
    assert (opened.mode, opened.size) == ("RGB", (5, 3))


def test_transparency_is_white_and_sixteen_bits_are_scaled(tmp_path):
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert open_image(tmp_path, save(tmp_path, "a.png", clear)).getpixel((0, 0)) == (255,) * 3
    deep = Image.fromarray(np.array([[0, 65535]], dtype=np.uint16))
    opened = open_image(tmp_path, save(tmp_path, "b.png", deep))
    assert [opened.getpixel((x, 0))[0] for x in (0, 1)] == [0, 255]


@pytest.mark.parametrize(("value", "grey"), [(0, 0), (257, 1), (32768, 127), (65535, 255)])
def test_sixteen_bit_grey_has_the_same_scale_in_all_images(tmp_path, value, grey):
    deep = Image.fromarray(np.full((2, 2), value, dtype=np.uint16))
    for ending in ("png", "tiff"):
        opened = open_image(tmp_path, save(tmp_path, f"x.{ending}", deep))
        # What fits into 8 bits may have been written by a program that knows no more.
        assert abs(opened.getpixel((0, 0))[0] - grey) <= 1


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert open_image(tmp_path, save(tmp_path, "x.jpg", image, exif=exif)).size == (2, 4)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_is_ignored(tmp_path):
    save(tmp_path, "x.jpg", Image.new("RGB", (4, 2)), exif=b"Exif\0\0II*\0" + bytes(range(256)))
    assert open_image(tmp_path, "x.jpg").size == (4, 2)


def test_cmyk_keeps_its_colours_with_and_without_the_adobe_marker(tmp_path):
    """JPEG holds CMYK inverted, as Adobe introduced it; browsers read all files that way."""
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    save(tmp_path, "adobe.jpg", red, quality=95)
    data = (tmp_path / "adobe.jpg").read_bytes()
    at = data.index(b"\xff\xee")  # the marker, with its length behind it
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    assert data[at + 4 : at + 9] == b"Adobe"
    (tmp_path / "plain.jpg").write_bytes(data[:at] + data[at + 2 + length :])
    save(tmp_path, "x.tiff", red)
    for name in ("adobe.jpg", "plain.jpg", "x.tiff"):
        colour = open_image(tmp_path, name).getpixel((8, 8))
        np.testing.assert_allclose(colour, [250, 10, 10], atol=12)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_of_several_frames_the_first_is_taken(tmp_path, ending):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    save(tmp_path, f"frames.{ending}", red, save_all=True, append_images=[blue])
    colour = open_image(tmp_path, f"frames.{ending}").getpixel((4, 4))
    assert colour[0] > 200
    assert colour[2] < 50


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_a_palette_with_half_transparent_colours_lies_on_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    save(tmp_path, "x.png", image, transparency=bytes([255, 0]))
    opened = open_image(tmp_path, "x.png")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (1, 5000), (5000, 1), (40, 2)])
def test_the_model_can_read_any_shape(tmp_path, size, tokenizer):
    opened = open_image(tmp_path, save(tmp_path, "x.png", Image.new("RGB", size, "red")))
    assert max(opened.size) <= 20 * min(opened.size)
    assert min(opened.size) == min(size)
    assert len(tokenizer.keywords([opened], 2)[0]) == 2


def test_a_long_image_is_cropped_to_its_middle(tmp_path):
    stripe = Image.new("RGB", (1, 101))
    for y in range(101):
        stripe.putpixel((0, y), (y, 0, 0))
    opened = open_image(tmp_path, save(tmp_path, "x.png", stripe))
    assert [opened.getpixel((0, y))[0] for y in (0, 19)] == [40, 59]


def test_a_wrong_file_extension_does_not_matter(tmp_path):
    Image.new("RGB", (5, 3)).save(tmp_path / "x.png", format="JPEG")
    assert open_image(tmp_path, "x.png").size == (5, 3)


def unusable_images(folder):
    """One of each kind, with the reason expected."""
    root = folder / "dataset"
    (root / "images").mkdir(parents=True)
    save(folder, "secret.png", Image.new("RGB", (2, 2)))
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_bytes(b"hello")
    (root / "draw.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for ending in ("png", "jpg", "webp", "gif"):
        save(root, f"whole.{ending}", Image.effect_noise((99, 99), 50))
        data = (root / f"whole.{ending}").read_bytes()
        (root / f"cut.{ending}").write_bytes(data[: len(data) // 2])
    (root / "link.png").symlink_to(folder / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    getattr(os, "mkfifo", Path.touch)(root / "pipe.png")
    return root, {
        "none.png": "No such file",
        "empty.png": "an empty file",
        "text.png": "not an image, or damaged",
        "draw.eps": "not an image",
        **{f"cut.{ending}": "cannot be decoded" for ending in ("png", "jpg", "gif")},
        "cut.webp": "cannot be decoded|not an image",
        "images": "not a regular file",
        "pipe.png": "not a regular file|an empty file",
        "../secret.png": "outside the dataset folder",
        "link.png": "outside the dataset folder",
        "loop.png": "loop.png: ",
        "nul\0.png": "null",
        "long" * 999: "too long|No such file",
        "https://example.org/x.png": "a URL, not a file",
        "//example.org/x.png": "a URL, not a file",
        "data:image/png;base64,AAAA": "a URL, not a file",
    }


def test_the_reason_for_an_unusable_image_is_one_line(tmp_path):
    root, unusable = unusable_images(tmp_path)
    for name, message in unusable.items():
        with pytest.raises(ImageError, match=message) as caught:
            open_image(root, name)
        assert "\n" not in str(caught.value)


def test_an_image_without_read_permission(tmp_path, monkeypatch):
    save(tmp_path, "x.png", Image.new("RGB", (2, 2)))
    if os.getuid():
        (tmp_path / "x.png").chmod(0)
    else:  # to root, no file is closed

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match=r"x.png: Permission denied"):
        open_image(tmp_path, "x.png")


def only_a_header(path, side):
    """A PNG that says how large it is, and no more."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data)


@pytest.mark.parametrize("side", [8_001, 20_000])
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path, side, monkeypatch):
    only_a_header(tmp_path / "huge.png", side)

    def decode(_):
        raise AssertionError("decoded")

    monkeypatch.setattr(module, "_upright", decode)
    with pytest.raises(ImageError, match=r"huge.png: .*too many"):
        open_image(tmp_path, "huge.png")


def test_pillows_own_warnings_do_not_escape(tmp_path):
    only_a_header(tmp_path / "huge.png", 10_000)  # enough for Pillow's bomb warning
    with warnings.catch_warnings(record=True) as escaped:
        warnings.resetwarnings()
        with Image.open(tmp_path / "huge.png"):
            assert len(escaped) == 1
        fresh = runpy.run_path(module.__file__)  # as on the first import
        with pytest.raises(fresh["ImageError"], match=r"too many pixels \(10000 x 10000\)"):
            fresh["open_image"](tmp_path, "huge.png")
    assert len(escaped) == 1


# ------------------------------------------------------------ keywords of many images


def test_an_unusable_image_stops_no_other(tokenizer, tmp_path):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    names = [("a", "bad.png"), ("b", "good.png"), ("c", "https://example.org/x.png")]
    cache = memory_cache("float32")
    one, found, other = extract_keywords(tmp_path, names, tokenizer, 2, cache, batch_size=1)
    assert found["item_id"] == "b"
    assert len(found["keywords"]) == 2
    assert [(r["item_id"], r["reason"]) for r in (one, other)] == [
        ("a", "bad.png: No such file or directory"),
        ("c", "https://example.org/x.png: a URL, not a file; download the image into images/"),
    ]


def test_trouble_with_the_cache_is_not_taken_for_an_unusable_image(folder, mini_clip, monkeypatch):
    def damaged(*_):
        raise UserError("v.sqlite: damaged")

    monkeypatch.setattr(EmbeddingCache, "__contains__", damaged)
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    with pytest.raises(UserError, match=r"v.sqlite: damaged"):
        list(extract_keywords(folder, [("i0", "images/0.png")], tokenizer, 1, cache))


def test_an_image_that_cannot_be_resized_is_skipped(folder, mini_clip, monkeypatch):
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    process = tokenizer.image_processor

    def refuse_one(images, **options):
        if images[0].size == (3, 3):
            raise ValueError("too narrow")
        return process(images=images, **options)

    monkeypatch.setattr(tokenizer, "image_processor", refuse_one)
    Image.new("RGB", (3, 3)).save(folder / "images/1.png")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    skipped, found = extract_keywords(folder, pairs, tokenizer, 1, cache)
    assert skipped["reason"] == "images/1.png: cannot be resized (too narrow); replace it"
    assert found["item_id"] == "i0"


def test_a_link_out_of_the_folder_is_refused_even_if_its_content_is_known(
    folder, mini_clip, tmp_path
):
    (tmp_path / "secret.png").write_bytes((folder / "images/0.png").read_bytes())
    (folder / "images/1.png").unlink()
    (folder / "images/1.png").symlink_to(tmp_path / "secret.png")
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    for _ in range(2):
        skipped, found = extract_keywords(folder, pairs, tokenizer, 1, cache)
        assert "lies outside the dataset folder" in skipped["reason"]
        assert found["item_id"] == "i0"
