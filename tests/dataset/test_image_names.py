"""Image names that are spelled in another way than the files."""

import unicodedata
from pathlib import Path

import pytest

from msm4sr_lite.dataset import image_names as module
from msm4sr_lite.dataset.image_names import ImageError, find_image
from msm4sr_lite.features.image_keywords import image_stamp

NFC, NFD = (unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD"))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "dataset"
    (root / "images").mkdir(parents=True)
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    return root


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("images/A.JPG", "images/a.jpg"),
        ("Images/a.jpg", "images/a.jpg"),
        (f"images/{NFC}", f"images/{NFD}"),
        (f"images/{NFD}", f"images/{NFC}"),
        ("images/red%20mug.jpg", "images/red mug.jpg"),
        ("images/red mug.jpg", "images/red%20mug.jpg"),
        ("images%2Fa.jpg", "images/a.jpg"),
        ("images\\a.jpg", "images/a.jpg"),
        ("IMAGES\\Red%20CAF%C3%89.jpg", unicodedata.normalize("NFD", "images/red café.jpg")),
        ("./images//a.jpg", "images/a.jpg"),
        ("images/a%2.jpg", "images/a%2.jpg"),
    ],
)
def test_other_spellings_are_found(root, name, file):
    write(root, file, "images/other.jpg")
    found = find_image(root, name)
    assert found.read_bytes() == file.encode()
    assert image_stamp(root, name) == image_stamp(root, file) is not None


def test_an_exact_name_comes_first_and_several_others_are_refused(root):
    write(root, "images/a.jpg", "images/A.jpg")
    if len([*(root / "images").iterdir()]) < 2:
        pytest.skip("this disk ignores case")
    assert find_image(root, "images/a.jpg").name == "a.jpg"
    assert find_image(root, "images/A.jpg").name == "A.jpg"
    message = r"^images/A.JPG: may be 'images/[aA].jpg' and 'images/[aA].jpg'; rename one of them$"
    with pytest.raises(ImageError, match=message):
        find_image(root, "images/A.JPG")
    assert image_stamp(root, "images/A.JPG") is None
    write(root, "Images/b.jpg")
    assert find_image(root, "images/b.jpg") == root / "Images/b.jpg"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../outside.jpg", "outside the dataset folder"),
        ("..%2Foutside.jpg", "No such file"),
        ("%2e%2e/outside.jpg", "No such file"),
        ("images\\..\\..\\outside.jpg", "No such file"),
        ("IMAGES/LINK.jpg", "outside the dataset folder"),
        ("images/../Outside.jpg", "No such file"),
        ("images/%00.jpg", "No such file"),
        ("images/%ff.jpg", "No such file"),
        ("IMAGES", "No such file"),
        ("images", "not a regular file"),
        ("http://shop.org/a.jpg", "a URL"),
    ],
)
def test_nothing_outside_the_folder_is_found_and_no_folder(root, name, message):
    write(root, "images/a.jpg")
    (root / "images/link.jpg").symlink_to(root.parent / "outside.jpg")
    with pytest.raises(ImageError, match=message):
        find_image(root, name)
    assert image_stamp(root, name) is None or "../" in name or name == "images"


def test_a_folder_is_listed_once_and_again_after_a_change(root, monkeypatch):
    write(root, *(f"images/{n}.jpg" for n in range(20)))
    listed, iterdir = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    module._list.cache_clear()
    for n in range(20):
        assert find_image(root, f"Images/{n}.JPG").name == f"{n}.jpg"
    assert sorted(listed) == [root, root / "images"]
    write(root, "images/new.jpg")
    assert find_image(root, "Images/NEW.jpg").name == "new.jpg"
    assert len(listed) == 3


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(ImageError, match=r"^images/a.jpg: No such file or directory$"):
        find_image(tmp_path / "nowhere", "images/a.jpg")


def test_a_folder_does_not_hide_a_file_with_another_spelling(tmp_path):
    (tmp_path / "dir.png").mkdir()
    (tmp_path / "Dir.PNG").write_bytes(b"image")
    if (tmp_path / "dir.png").samefile(tmp_path / "Dir.PNG"):
        pytest.skip("the file system ignores case")
    assert find_image(tmp_path, "dir.png") == tmp_path / "Dir.PNG"
