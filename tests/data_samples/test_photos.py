"""The committed photographs: how they were chosen, and what their data sheet says."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_photos import make_source

from data_samples.make import photos
from data_samples.make.photos import Photo, choose_photos, main, read_photos
from msm4sr_lite.features.clip.labelled_images import read_labels

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data_samples" / "photos"


@pytest.fixture
def source(real_data: Path) -> Path:
    """Return the folder of all photographs; skip the test if it is not there."""
    folder = real_data / photos.SOURCE
    if not (folder / "labels.csv").is_file():
        pytest.skip(f"needs the photographs of the Grocery Store Dataset in {folder}")
    return folder


# ------------------------------------------------------------------------------ the folder


def test_images_are_small_and_are_those_of_the_table() -> None:
    chosen = read_photos(FOLDER)
    names = [photo.image for photo in chosen]
    assert len(set(names)) == len(names) == 200
    assert {f"images/{path.name}" for path in (FOLDER / "images").iterdir()} == {*names}
    for name in names:
        with Image.open(FOLDER / name) as image:
            assert (image.format, max(image.size)) == ("JPEG", 128)
            assert not image.getexif(), f"{name}: data of a camera"
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_500_000


def test_every_product_has_the_same_number_of_photographs() -> None:
    chosen = read_photos(FOLDER)
    assert set(Counter(photo.product for photo in chosen).values()) == {photos.PER_PRODUCT}
    assert {photo.group for photo in chosen} == set(photos.GROUPS)


def test_no_training_photograph_and_no_excluded_one_is_there() -> None:
    names = {Path(photo.image).stem for photo in read_photos(FOLDER)}
    assert {name.partition("_")[0] for name in names} == {"val", "test"}
    assert not names & {name for some in photos.EXCLUDED.values() for name in some}


def test_it_is_a_folder_that_train_clip_reads() -> None:
    labels, missing = read_labels(FOLDER, ["product", "kind", "group"])
    assert (len(labels), missing) == (200, 0)
    words = [{word for cell in row for word in cell} for row in labels.to_numpy()]
    assert words == [photo.words for photo in read_photos(FOLDER)]


def test_licence_and_citation_lie_beside_the_photographs() -> None:
    licence = (FOLDER / "LICENSE").read_text("utf-8")
    assert licence.startswith("MIT License\n\nCopyright (c) 2019 Marcus Klasson\n")
    assert "shall be included in all" in licence
    assert "1901.00711" in (FOLDER / "CITATION.bib").read_text("utf-8")
    assert "`data_samples/photos`" in (ROOT / "LICENSES.md").read_text("utf-8")


def test_the_data_sheet_counts_what_is_there() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| ([a-z][^|]+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    found = {name: [int(count) for count in counts] for name, *counts in rows}
    chosen = read_photos(FOLDER)
    groups = [[p for p in chosen if p.group == group] for group in photos.GROUPS] + [chosen]
    split = [Counter(Path(p.image).name.partition("_")[0] for p in some) for some in groups]
    true = [Counter(len(p.words) for p in some) for some in groups]
    assert found == {
        "photographs": [len(some) for some in groups],
        "products": [len({p.product for p in some}) for some in groups],
        "kinds": [len({p.kind for p in some}) for some in groups],
        "photographs from the validation split": [count["val"] for count in split],
        "photographs from the test split": [count["test"] for count in split],
        "photographs with three true words": [count[3] for count in true],
        "photographs with two true words": [count[2] for count in true],
    }
    brands, persons = (len(names) for names in photos.EXCLUDED.values())
    excluded = f"excluded {brands + persons}: {brands} with a readable brand name or package, and"
    assert f"{excluded} {persons} with" in " ".join(text.split())


# ------------------------------------------------------------------------------ how it was made


def test_the_choice_takes_the_same_number_of_each_product_and_no_excluded_one() -> None:
    name = photos.EXCLUDED["person"][0]
    some = [Photo(f"images/test_{k}.jpg", f"p{k % 2}", "kind", "fruit") for k in range(8)]
    excluded = Photo(f"images/{name}.jpg", "p0", "kind", "fruit")
    chosen = choose_photos([*some, excluded], per_product=3)
    assert [photo.product for photo in chosen] == 3 * ["p0"] + 3 * ["p1"]
    assert excluded not in choose_photos([*some, excluded], per_product=9)
    assert choose_photos([*reversed(some), excluded], per_product=3) == chosen
    assert chosen[:3] != some[:6:2], "the order of the names"


def test_the_command_writes_the_chosen_or_the_training_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"images/{s}_{k}.jpg,{s},leek,leek,vegetable" for s in ("train", "val") for k in "12"]
    source = make_source(tmp_path, [*rows, "images/test_3.jpg,test,yoghurt,yoghurt,carton"])
    monkeypatch.setenv("MSM4SR_DATA", str(tmp_path))
    assert main(["--out", str(tmp_path / "a")]) == 0
    assert main(["--training", "--out", str(tmp_path / "b")]) == 0
    written = [{p.stem for p in (tmp_path / part).rglob("*.jpg")} for part in "ab"]
    assert written == [{"val_1", "val_2"}, {"train_1", "train_2"}]
    assert read_photos(tmp_path / "b") == read_photos(source, ["train"])
    assert (tmp_path / "a/LICENSE").is_file()
    capsys.readouterr()
    assert main(["--out", str(tmp_path / "a")]) == 2
    assert "already exists" in capsys.readouterr().err


def test_without_the_source_the_command_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSM4SR_DATA", str(tmp_path))
    assert main(["--out", str(tmp_path / "a")]) == 2
    assert "MSM4SR_DATA" in capsys.readouterr().err


def test_the_script_makes_the_committed_folder(source: Path, tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "photos")]) == 0
    made = [path.relative_to(tmp_path / "photos") for path in (tmp_path / "photos").rglob("*.*")]
    assert len(made) == 201
    for name in [*made, Path("LICENSE")]:
        assert (tmp_path / "photos" / name).read_bytes() == (FOLDER / name).read_bytes(), name


def test_no_held_out_photograph_is_a_copy_of_a_training_one(source: Path) -> None:
    thumbnails = [
        np.stack([thumbnail(source / photo.image) for photo in read_photos(source, splits)])
        for splits in (["val", "test"], ["train"])
    ]
    highest = float((thumbnails[0] @ thumbnails[1].T).max())
    (stated,) = re.findall(r"is below (0\.\d+)", (FOLDER / "README.md").read_text("utf-8"))
    assert float(stated) - 0.01 < highest < float(stated)


def thumbnail(path: Path) -> np.ndarray:
    """Return the pixels of a small copy of an image, with mean 0 and length 1."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((24, 24), Image.Resampling.LANCZOS)
    pixels = np.asarray(small, np.float64).ravel()
    pixels -= pixels.mean()
    return pixels / np.linalg.norm(pixels)


def test_the_table_is_written_like_other_tables() -> None:
    content = (FOLDER / "labels.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert next(csv.reader(content.decode("utf-8").splitlines())) == photos.COLUMNS
