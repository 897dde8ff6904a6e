"""Labels of a folder of images: which columns are labels, and what cannot be read."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from toy_images import COLOURS, SHAPES

from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.labelled_images import (
    augment,
    label_words,
    load_images,
    read_labels,
)


def write_table(folder, text):
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


def test_columns_with_few_short_values_are_chosen(folder):
    words = label_words(read_labels(folder)[0])  # not the title, which differs every time
    assert words == {"colour": sorted(COLOURS), "shape": sorted(SHAPES)}
    assert list(read_labels(folder, ["shape"])[0]) == ["shape"]


def test_images_are_found_without_folder_or_ending(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("0012.jpg", "0013.png", "0014.jpg"):
        Image.new("RGB", (3, 3)).save(tmp_path / "images" / name)
    write_table(tmp_path, "id,kind\n0012,cup\n0013,pan\n0014.jpg,pan\n0015,cup\n")
    labels, missing = read_labels(tmp_path)
    assert labels.index.tolist() == ["images/0012.jpg", "images/0013.png", "images/0014.jpg"]
    assert missing == 1


@pytest.mark.parametrize("ending", [".JPG", ".Png", ".tiff", ".TIF", ".avif", ".webp", ".bmp", ""])
def test_images_of_all_kinds_are_found_in_sub_folders(tmp_path, ending):
    (tmp_path / "shoes/summer").mkdir(parents=True)
    kind = {".JPG": "JPEG", ".TIF": "TIFF", "": "PNG"}.get(ending, ending[1:].upper())
    for number in (12, 13):
        Image.new("RGB", (30, 30)).save(tmp_path / f"shoes/summer/{number}{ending}", format=kind)
        (tmp_path / f"shoes/summer/{number}.txt").write_text("a caption")
    for row in ("12", f"12{ending}", f"12{ending.upper()}", f"SHOES\\summer\\12{ending}"):
        write_table(tmp_path, f"id,kind\n{row},cup\n13,pan\n")
        labels, missing = read_labels(tmp_path)
        assert labels.index.tolist() == [f"shoes/summer/{n}{ending}" for n in (12, 13)]
        assert missing == 0
    assert load_images(tmp_path, labels, 16)[0].pixels.shape == (2, 3, 16, 16)


def test_a_name_of_several_images_is_refused(tmp_path):
    for place in ("a", "b", "images"):
        (tmp_path / place).mkdir()
        Image.new("RGB", (3, 3)).save(tmp_path / place / "1.png")
        Image.new("RGB", (3, 3)).save(tmp_path / place / f"{place}.png")
    write_table(tmp_path, "id,kind\n1,cup\na,pan\n")
    assert read_labels(tmp_path)[0].index.tolist() == ["images/1.png", "a/a.png"]
    (tmp_path / "images/1.png").unlink()
    with pytest.raises(UserError, match=r"image '1' may be a/1.png or b/1.png; give its path"):
        read_labels(tmp_path)


def test_class_folders(tmp_path):
    for name, count in (("red_mug", 3), ("Tent", 2), (".hidden", 1), ("__MACOSX", 1), ("0", 1)):
        (tmp_path / name / "more").mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (3, 3)).save(tmp_path / name / "more" / f"{number}.JPEG")
    (tmp_path / "Tent/notes.txt").write_text("not an image")
    Image.new("RGB", (3, 3)).save(tmp_path / "cover.png")
    labels, missing = read_labels(tmp_path)
    assert labels["class"].value_counts().to_dict() == {("red mug",): 3, ("Tent",): 2, ("0",): 1}
    assert labels.loc["red_mug/more/0.JPEG", "class"] == ("red mug",)
    assert missing == 0


@pytest.mark.parametrize("names", [["train", "Val"], ["images"], ["dataset"]])
def test_folders_that_are_no_classes_are_refused(tmp_path, names):
    for name in names:
        (tmp_path / name / "cup").mkdir(parents=True)
        Image.new("RGB", (3, 3)).save(tmp_path / name / "cup/1.png")
    with pytest.raises(UserError, match=f"needed, not .*{sorted(names)[-1]}; give the folder that"):
        read_labels(tmp_path)


def test_the_shape_is_that_of_upright_images(tmp_path):
    image = Image.new("RGB", (60, 30))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    for name in ("a.jpg", "b.jpg"):
        image.save(tmp_path / name, exif=exif)
    write_table(tmp_path, "id,kind\na,cup\nb,pan\n")
    assert load_images(tmp_path, read_labels(tmp_path)[0], 48)[0].pixels.shape == (2, 3, 64, 32)


def test_rows_of_one_image_are_merged(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (3, 3)).save(tmp_path / name)
    write_table(tmp_path, "image,kind\na.png,cup\nb.png,#pan\na,pot\na.png,cup\n")
    labels, _ = read_labels(tmp_path)
    assert labels["kind"].to_dict() == {"a.png": ("cup", "pot"), "b.png": ("pan",)}


def test_missing_labels_numbers_and_spellings(tmp_path):
    for k in range(5):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{k}.png")
    rows = ["0,Red,1.5,Unknown", "1,red,2.5,big", "2,Blue  sky,1.5,", "3,,1.5,", "4,Unknown,2,big"]
    write_table(tmp_path, "\n".join(["image,colour,price,size", *rows]))
    with pytest.raises(UserError, match="column 'size' has fewer than two different labels"):
        read_labels(tmp_path, ["colour", "size"])
    labels, _ = read_labels(tmp_path)
    colours = {"0.png": ("Red",), "1.png": ("Red",), "2.png": ("Blue sky",)}
    assert labels.to_dict() == {"colour": colours}


def test_a_named_text_column_gives_its_common_words(tmp_path):
    rows = []
    for k in range(30):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{k}.png")
        cut = "sleeveless" if k % 2 else "hooded"
        rows.append(f"{k}.png,A {cut} dress that was made for the long summer evening of {k}x.")
    write_table(tmp_path, "\n".join(["image,text", *rows]))
    with pytest.raises(UserError, match="no column with few different, short labels"):
        read_labels(tmp_path)
    labels, _ = read_labels(tmp_path, ["text"])
    words = label_words(labels)["text"]
    assert {"sleeveless", "hooded", "dress"} <= set(words)
    assert "that" not in words
    assert "sleeveless" in labels["text"]["1.png"]
    assert "sleeveless" not in labels["text"]["0.png"]


def test_mistakes_are_one_line(tmp_path):
    place = tmp_path / "labelled"
    place.mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "outside.png")
    with pytest.raises(UserError, match=r"labels.csv: no such file"):
        read_labels(place)
    Image.new("RGB", (2, 2)).save(place / "p.png")
    for text, columns, message in (
        ("", [], "the file is empty"),
        ("image,kind\n", [], "no image in the table"),
        ("image,kind\nnone.jpg,cup\n", [], "no name is that of a file"),
        ("image,kind\n../outside.png,cup\n", [], "no name is that of a file"),
        (f"image,kind\n{'long' * 999},cup\n", [], "no name is that of a file"),
        ("image,kind\np.png,cup\n", ["colour"], "no label column 'colour'; the columns are: kind"),
        ("image\np.png\n", [], "no column with few different"),
        ("image,kind,kin\u200bd\np.png,a,b\n", [], "two columns are named 'kind'; rename one"),
    ):
        write_table(place, text)
        with pytest.raises(UserError, match=message) as error:
            read_labels(place, columns)
        assert "\n" not in str(error.value)


def test_augment_keeps_colour_names_true():
    red = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    red[:, 0] = 200
    changed = augment(red, torch.Generator().manual_seed(0))
    assert changed.shape == red.shape
    assert 0.69 < float(changed[:, 0].min()) <= float(changed[:, 0].max()) < 0.88
    assert float(changed[:, 1:].max()) < 0.01
    again = augment(red, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


def test_augment_moves_and_mirrors_but_keeps_most_of_the_image():
    half = torch.zeros(200, 3, 16, 16, dtype=torch.uint8)
    half[..., :8] = 200
    changed = augment(half, torch.Generator().manual_seed(0))
    left = changed[..., 4].mean((1, 2)) > changed[..., 11].mean((1, 2))
    assert 0.35 < float(left.float().mean()) < 0.65
    light = changed.mean((1, 2, 3)) / (200 / 255)
    assert 0.25 < float(light.min()) < float(light.max()) < 0.75


def test_without_distortion_straight_lines_stay_where_they_are():
    rows = torch.zeros(50, 3, 32, 32, dtype=torch.uint8)
    rows[:, :, 16:] = 200
    straight = augment(rows, torch.Generator().manual_seed(0), distortion=0)
    # Every row of pixels has one value, but for the shift of the edges.
    assert float(straight[..., 4:-4].std(-1).max()) < 1e-3
    turned = augment(rows, torch.Generator().manual_seed(0))
    assert float(turned[..., 4:-4].std(-1).max()) > 0.1


def test_labels_and_column_names_are_printable_and_equal_in_every_form(tmp_path):
    spellings = ["\x1b[31mred", "RED", "re\u200bd", "café", "cafe\u0301", "Straße", "STRASSE"]
    rows = ["image,\x1b[31mco\u202elour"]
    for k, label in enumerate(spellings):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{k}.png")
        rows.append(f"{k}.png,{label}")
    labels, _ = read_labels(write_table(tmp_path, "\n".join(rows)))
    assert label_words(labels) == {"colour": ["Straße", "café", "red"]}


def test_absolute_names_in_a_relative_folder(tmp_path, monkeypatch):
    place, link = tmp_path / "lab", tmp_path / "link"
    place.mkdir()
    link.symlink_to(place)
    for name in ("a", "b"):
        Image.new("RGB", (3, 3)).save(place / f"{name}.png")
    write_table(place, f"image,kind\n{place}/a.png,cup\n{link}/b.png,pan\n")
    monkeypatch.chdir(tmp_path)
    labels, missing = read_labels(Path("lab"))
    assert (labels.index.tolist(), missing) == (["a.png", "b.png"], 0)
