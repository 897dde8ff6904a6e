"""Labels of a folder of images: which columns are labels, and what cannot be read."""

import pytest
import torch
from PIL import Image
from toy_images import COLOURS, SHAPES

from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.labelled_images import augment, label_words, read_labels


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
        ("image,kind\nnone.jpg,cup\n", [], "none of its 1 names is a file"),
        ("image,kind\n../outside.png,cup\n", [], "none of its 1 names is a file"),
        (f"image,kind\n{'long' * 999},cup\n", [], "none of its 1 names is a file"),
        ("image,kind\np.png,cup\n", ["colour"], "no label column 'colour'; the columns are: kind"),
        ("image\np.png\n", [], "no column with few different"),
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
