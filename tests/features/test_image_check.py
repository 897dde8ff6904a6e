"""Images are checked before extraction: what is wrong is counted, and examples are named."""

import numpy as np
import pytest
from PIL import Image

from msm4sr_lite.dataset.rows import Item
from msm4sr_lite.features import image_check as module
from msm4sr_lite.features import images
from msm4sr_lite.features.image_check import check_images


@pytest.fixture
def root(tmp_path):
    """A folder with eight different images of 300 x 200 pixels that are right."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(8):
        pixels = rng.integers(0, 255, (200, 300, 3), dtype=np.uint8)
        ending = ("jpg", "png", "gif", "webp")[number % 4]
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.{ending}")
    return tmp_path


def problems(root, *names):
    report = check_images([Item("a", images=names[:2]), Item("b", images=names[2:])], root)
    assert report["checked"] == len(set(names))
    return {entry["problem"]: entry["examples"] for entry in report["problems"]}


def test_right_images_are_not_decoded(root, monkeypatch):
    names = ["images/0.jpg", "images/1.png", "images/2.gif"]
    monkeypatch.setattr(module, "decode_image", lambda *_: 1 / 0)
    assert problems(root, *names) == {}
    with pytest.raises(ZeroDivisionError):  # one that is: its end does not show that it is whole
        problems(root, "images/3.webp")
    monkeypatch.undo()
    assert problems(root, *names, "images/3.webp") == {}


def test_each_problem_is_named(root):
    Image.new("RGB", (900, 700), "white").save(root / "images/white.jpg", quality=95)
    Image.new("RGBA", (900, 700)).save(root / "images/clear.png")
    for name in ("0.jpg", "1.png", "2.gif", "3.webp"):
        data = (root / "images" / name).read_bytes()
        (root / f"images/cut.{name}").write_bytes(data[: len(data) // 2])
    (root / "images/page.jpg").write_bytes(b"<html>" * 5000)
    (root / "images/same.jpg").write_bytes((root / "images/4.jpg").read_bytes())
    Image.new("RGB", (9000, 8000)).save(root / "images/huge.png")
    names = ["white.jpg", "clear.png", "page.jpg", "4.jpg", "same.jpg", "huge.png", "Same.JPG"]
    names = [f"images/{name}" for name in names] + ["http://shop.org/a.jpg"]
    cut = [f"images/cut.{name}" for name in ("0.jpg", "1.png", "2.gif", "3.webp")]
    found = problems(root, *names, *cut, "images/5.jpg", "0.gif", "images/99.jpg", "x" * 300)
    assert found == {
        "one colour only": ["images/white.jpg", "images/clear.png"],
        "cut short: the end of the file is missing; download it again": cut[:3],
        "a web page; download the image again": ["images/page.jpg"],
        "the same content as another image": [
            "images/same.jpg",
            "images/Same.JPG (perhaps images/same.jpg)",
        ],
        "too many pixels; scale it down to at most 64 million": ["images/huge.png"],
        "found under a name with another spelling": ["images/Same.JPG (perhaps images/same.jpg)"],
        "a URL, not a file; download the image into images/": ["http://shop.org/a.jpg"],
        "No such file or directory": [
            "images/5.jpg (perhaps images/5.png)",
            "0.gif (perhaps images/0.jpg)",
            "images/99.jpg",
        ],
        "File name too long": ["x" * 300],
    }


def test_zeros_in_place_of_data_are_noticed_although_the_end_is_there(root):
    names = ["images/0.jpg", "images/1.png"]
    for name in names:
        data = (root / name).read_bytes()
        start = max(9000, data.find(b"IDAT", 70_000) - 4)  # of a PNG, the start of a chunk
        (root / name).write_bytes(data[:start] + bytes(9000) + data[start + 9000 :])
    pixels = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    for ending in ("bmp", "tiff"):
        names.append(f"images/black.{ending}")
        Image.fromarray(pixels).save(root / names[-1])
        assert names[-1] not in str(problems(root, names[-1]))
        data = (root / names[-1]).read_bytes()
        (root / names[-1]).write_bytes(data[:99_000] + bytes(len(data) - 99_000))
    (root / "images/loop.jpg").symlink_to("loop.jpg")
    found = problems(root, *names, "images/loop.jpg")
    assert found == {
        "cut short: the end of the file is missing; download it again": names[:1],
        "cannot be decoded; replace it": names[1:2],
        "cut short, or black at the end: look at it": names[2:],
        "Too many levels of symbolic links": ["images/loop.jpg"],
    }


def test_each_image_is_looked_for_once(root, monkeypatch):
    looked, find = [], images.find_image
    monkeypatch.setattr(images, "find_image", lambda *a: looked.append(a[1]) or find(*a))
    names = ["images/0.jpg", "images/3.webp"]
    assert problems(root, *names) == {}
    assert looked == names


def test_a_missing_folder_and_no_images(tmp_path):
    assert problems(tmp_path / "nowhere", "a.jpg") == {"No such file or directory": ["a.jpg"]}
    assert problems(tmp_path) == {}
