"""Images of all kinds, and the messages about those that cannot be used."""

import os
import runpy
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from msm4sr_lite.dataset.image_names import ImageError
from msm4sr_lite.features import images as module
from msm4sr_lite.features.images import image_size, open_image


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
        "empty.png": "an empty file; download it again",
        "text.png": "a text; download the image again",
        "draw.eps": "a PDF, PostScript or Photoshop file; save it as one of JPEG",
        **{f"cut.{ending}": "cut short: the end of" for ending in ("png", "jpg", "gif", "webp")},
        "images": "not a regular file",
        "pipe.png": "not a regular file|an empty file",
        "../secret.png": "outside the dataset folder",
        "link.png": "outside the dataset folder",
        "loop.png": "loop.png: ",
        "nul\0.png": "no file name may contain a NUL character; correct the name",
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

    monkeypatch.setattr(module, "_middle", decode)
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


# ------------------------------------------------------------ what the file is


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\0\x18ftypheic\0\0", "a HEIC image; save it as one of JPEG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image; save"),
        (b"\xff\x0a\x00", "a JPEG XL image; save"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns=", "an SVG drawing; save"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><svg>", "a web page; download the image again"),
        (b"<?xml version='1.0'?><Error>", "a message in XML or JSON; download"),
        (b'{"error": 404}', "a message in XML or JSON; download"),
        (b"404: not found", "a text; download"),
        ("Bild nicht verfügbar".encode(), "a text; download"),
        ("<html>".encode("utf-16"), "a web page; download"),
        (b"\0\0\x02\0\0\0", "not an image, or damaged; save"),  # TGA, not ICO
        (b"%PDF-1.5", "a PDF, PostScript or Photoshop file; save"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer; get the image"),
        (b"PK\x03\x04", "a packed file; unpack it"),
        (b"\0\0\0\x18ftypisom", "a video; save"),
        (b"II*\0\0\0\0\0", "a TIFF image that is cut short or of a kind that cannot be read; save"),
        (
            b"\0\0\0\x18ftypavif",
            "an AVIF image that is cut short or of a kind that cannot be read; save",
        ),
    ],
)
def test_a_file_under_the_name_of_an_image_is_named_for_what_it_is(tmp_path, content, message):
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=f"^x.jpg: {message}"):
        open_image(tmp_path, "x.jpg")


@pytest.mark.parametrize(("kind", "message"), [("ICO", "icon"), ("JPEG2000", "JPEG 2000")])
def test_a_format_that_pillow_knows_and_we_do_not(tmp_path, kind, message):
    Image.new("RGB", (32, 32)).save(tmp_path / "x.jpg", format=kind)
    with pytest.raises(ImageError, match=message):
        open_image(tmp_path, "x.jpg")


# ------------------------------------------------------------ a JPEG without its end


def photo(side=400):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    return coarse.resize((side, side * 3 // 4), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [2, 3, 20, 0.02])
def test_a_jpeg_that_lacks_a_few_bytes_is_read(tmp_path, progressive, lost):
    save(tmp_path, "x.jpg", photo(), progressive=progressive)
    whole, data = np.asarray(open_image(tmp_path, "x.jpg")), (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(data[: -lost if lost > 1 else -int(lost * len(data))])
    found = np.asarray(open_image(tmp_path, "x.jpg"))
    assert np.abs(found[:280].astype(int) - whole[:280]).max() < 12
    assert np.abs(found.astype(int) - whole).mean() < 4


@pytest.mark.parametrize(("progressive", "lost"), [(False, 0.1), (False, 0.9), (True, 0.6)])
def test_a_jpeg_that_lacks_more_is_refused(tmp_path, progressive, lost):
    save(tmp_path, "x.jpg", photo(), progressive=progressive)
    data = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(data[: -int(lost * len(data))])
    with pytest.raises(ImageError, match=r"x.jpg: cut short: the end of the file is missing"):
        open_image(tmp_path, "x.jpg")


# ------------------------------------------------------------ deep grey values, frames, size


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 0.8], np.float32), [0, 204]),
        (np.array([0, 0.8, 1.1], np.float32), [0, 204, 255]),
        (np.array([-1e-6, 0.5], np.float32), [0, 128]),
        (np.array([0.8, np.nan, np.inf], np.float32), [204, 0, 255]),
        (np.array([0, 180], np.float32), [0, 180]),
        (np.array([-1, 0, 1], np.float32), [0, 128, 255]),
        (np.array([-1000, 0, 1000], np.int32), [0, 128, 255]),
        (np.array([0, 4095, 65535], np.uint16), [0, 16, 255]),
    ],
)
def test_deep_grey_values_are_scaled(tmp_path, values, expected):
    Image.fromarray(values[None]).save(tmp_path / "x.tiff")
    opened = open_image(tmp_path, "x.tiff")
    assert [opened.getpixel((x, 0))[0] for x in range(len(expected))] == expected


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_of_an_animation_the_first_visible_frame_is_taken(tmp_path, ending):
    clear, red = Image.new("RGBA", (8, 8)), Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    frames = {"save_all": True, "duration": 100}
    save(tmp_path, f"x.{ending}", clear, append_images=[red, clear], **frames)
    colour = open_image(tmp_path, f"x.{ending}").getpixel((4, 4))
    np.testing.assert_allclose(colour, [255, 0, 0], atol=2)
    save(tmp_path, f"x.{ending}", clear, append_images=[clear.copy()], **frames)
    assert open_image(tmp_path, f"x.{ending}").getpixel((4, 4)) == (255, 255, 255)


def test_only_the_first_frames_are_searched_for_a_visible_pixel(tmp_path, monkeypatch):
    clear, red = Image.new("RGBA", (8, 8)), Image.new("RGBA", (8, 8), "red")
    monkeypatch.setattr(module, "MAX_FRAMES", 0)
    save(tmp_path, "x.png", clear, append_images=[red], save_all=True, duration=[9, 8])
    assert open_image(tmp_path, "x.png").getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(("ending", "mode"), [("jpg", "RGB"), ("png", "RGBA"), ("png", "L")])
def test_a_large_image_is_reduced_and_a_smaller_one_is_not(tmp_path, ending, mode):
    save(tmp_path, f"x.{ending}", photo(2048).convert(mode))  # 2048 x 1536
    opened = open_image(tmp_path, f"x.{ending}")
    assert opened.size == (1024, 768)
    expected = photo(2048).convert(mode).convert("RGB").reduce(2)
    difference = np.abs(np.asarray(opened).astype(int) - np.asarray(expected))
    assert difference.mean() < (2 if ending == "jpg" else 1e-9)
    save(tmp_path, f"x.{ending}", photo(2044).convert(mode))
    assert open_image(tmp_path, f"x.{ending}").size == (2044, 1533)


def test_images_are_decoded_together_only_as_far_as_memory_is_allowed():
    running, most = [], []

    def decode(share):
        need = int(share / 100 * module.MEMORY)
        with module.memory_for(need):
            running.append(need)
            most.append(sum(running))
            time.sleep(0.002)
            running.remove(need)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [40, 30, 1000, 60, 10, 100, 50, 25] * 4))
    alone = {total for total in most if total >= 10 * module.MEMORY}
    assert 0.4 < max(total for total in most if total not in alone) / module.MEMORY <= 1
    assert alone == {10 * module.MEMORY}


def test_the_size_is_read_from_the_header_alone(tmp_path):
    only_a_header(tmp_path / "x.png", 5_000)
    assert image_size(tmp_path, "x.png") == (5_000, 5_000)
    with pytest.raises(ImageError, match=r"cut short|cannot be decoded"):
        open_image(tmp_path, "x.png")
    (tmp_path / "x.png").write_bytes(b"%PDF")
    with pytest.raises(ImageError, match="a PDF, PostScript or Photoshop file"):
        image_size(tmp_path, "x.png")


def test_a_transparent_grey_of_16_bits_is_white(tmp_path):
    values = np.full((2, 2), 1000, np.uint16)
    values[0] = 40_000
    save(tmp_path, "x.png", Image.fromarray(values), transparency=1000)
    assert np.asarray(open_image(tmp_path, "x.png"))[..., 0].tolist() == [[156] * 2, [255] * 2]


def test_the_largest_floats_are_scaled_without_warnings(tmp_path):
    save(tmp_path, "x.tiff", Image.fromarray(np.array([[-3e38, 0, 3e38]], np.float32)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.asarray(open_image(tmp_path, "x.tiff"))[0, :, 0].tolist() == [0, 128, 255]


def test_a_lack_of_memory_is_not_blamed_on_the_image(tmp_path, monkeypatch):
    def no_memory(_):
        raise MemoryError

    save(tmp_path, "x.png", Image.new("RGB", (2, 2)))
    monkeypatch.setattr(module, "_middle", no_memory)
    with pytest.raises(MemoryError):
        open_image(tmp_path, "x.png")


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_a_deep_tiff_in_which_0_is_white_is_inverted(tmp_path, kind):
    values = np.array([[0, 1, 0.2]]) * (65535 if kind is np.uint16 else 1)
    Image.fromarray(values.astype(kind)).save(tmp_path / "x.tiff", tiffinfo={262: 0})
    opened = np.asarray(open_image(tmp_path, "x.tiff"))[0, :, 0]
    assert opened.tolist() == [255, 0, 204]


def test_a_long_text_in_a_png_is_no_reason_to_refuse_it(tmp_path):
    info = PngInfo()
    info.add_text("workflow", "a" * 3_000_000, zip=True)
    save(tmp_path, "x.png", Image.new("RGB", (9, 9), "red"), pnginfo=info)
    assert open_image(tmp_path, "x.png").getpixel((0, 0)) == (255, 0, 0)
