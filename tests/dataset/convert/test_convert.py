"""Recognising a format by file names; a dataset is written whole or not at all; images."""

import os

import pytest
from published_files import MOVIES, amazon_2018, hm, json_lines, review, write

from msm4sr_lite.dataset.convert import find_images


def test_only_a_folder_that_a_conversion_wrote_is_replaced(tmp_path, converted, refused):
    source = amazon_2018(tmp_path)
    converted(source)
    converted(amazon_2018(tmp_path, [review()]))  # again, over its own result
    (tmp_path / "dataset" / "notes.txt").write_text("notes")
    assert "holds 'notes.txt', which no conversion wrote" in refused(source)
    converted(source, force=True)
    assert not (tmp_path / "dataset" / "notes.txt").exists()
    (tmp_path / "dataset" / "converted.json").unlink()
    assert "which no conversion wrote" in refused(source)
    assert "must not be replaced" in refused(source, force=True, out="source")
    assert "must not be replaced" in refused(source, force=True, out="")
    assert "is a file" in refused(source, out="source/Mugs_5.json.gz")


def test_a_conversion_that_fails_leaves_the_old_dataset(tmp_path, converted, refused):
    converted(amazon_2018(tmp_path))
    before = (tmp_path / "dataset/interactions.csv").read_text()
    refused(amazon_2018(tmp_path, ["{"]))
    assert (tmp_path / "dataset/interactions.csv").read_text() == before


def test_a_place_that_cannot_be_written(tmp_path, refused):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(amazon_2018(tmp_path), out="file/dataset")


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {}, "no files of a known format; looked for amazon-2018: reviews X.json"),
        ({"u__data": "1\t1\t1\t1\n"}, {"format": "hm"}, "looked for hm: transactions_train.csv"),
        ({"u__data": "1\t1\t1\t1\n"}, {}, "no item file beside it"),
        ({"u__data": "1\t1\t1\t1\n", "u__item": "x"}, {}, "u.item line 1: 1 field instead of 24"),
        (MOVIES["100k"] | {"u__data": ""}, {}, "u.data: no line with data in it"),
        (MOVIES["1m"] | {"ratings__dat": "1::2::3\n"}, {}, "3 fields instead of 4"),
        (MOVIES["latest"] | {"ratings__csv": "a,b\n"}, {}, "no column userId, movieId"),
        (MOVIES["latest"] | {"ratings__csv": b"\x00\xff" * 99}, {}, "no column userId"),
        (
            MOVIES["latest"] | MOVIES["100k"] | {"a__inter": ""},
            {},
            "could be movielens or recbole; choose the format",
        ),
        (
            MOVIES["1m"],
            {"level": "product"},
            "level 'product' does not exist in MovieLens; it has no levels; only H&M",
        ),
        (MOVIES["1m"], {"min_rating": 6}, "rating of at least 6; lower min_rating"),
        (MOVIES["1m"], {"min_rating": float("nan")}, "min_rating must be a number"),
        (MOVIES["1m"], {"items": "nowhere"}, "nowhere: no such file; give"),
        (MOVIES["1m"], {"images": "nowhere"}, "images must be in a folder"),
        ({"A__json__gz": "", "B__json__gz": ""}, {}, "2 review files (A.json.gz, B.json.gz)"),
        ({"a__inter": "", "b__inter": ""}, {}, "2 .inter files (a.inter, b.inter)"),
        ({"a__inter": "user_id:token,item_id:token\n", "a__item": "x"}, {}, "others with tabs"),
        (
            {"a__inter": "user_id\titem_id\n", "a__item": "x"},
            {},
            "no column timestamp; needed are user_id,item_id,timestamp",
        ),
        (
            {"a__inter": "user_id:token\titem_id:token\nu\ti\n", "a__item": "item_id:token\ni\n"},
            {},
            "no column timestamp",
        ),
        (
            {"a__inter": "user_id:token\titem_id:token\ttimestamp:float\nu\ti\t1\n"}
            | {"a__item": "item_id:token\ttitle:token_seq\ni\tBall\n"},
            {"min_rating": 3},
            "this dataset has no ratings",
        ),
    ],
)
def test_wrong_or_missing_files_are_one_clear_line(tmp_path, refused, files, options, message):
    assert message in refused(write(tmp_path / "source", **files), **options)


def test_an_unknown_format_is_answered_with_the_known_ones(tmp_path, refused):
    assert "no format 'hnm'; there is amazon-2018, " in refused(tmp_path, format="hnm")


def test_images_of_a_folder_even_for_items_that_are_not_listed(tmp_path, converted):
    images = tmp_path / "images" / "deep"
    images.mkdir(parents=True)
    for name in ("A1.png", "A4.webp", "A2.txt", "A3"):
        (images / name).write_bytes(b"x")
    source = amazon_2018(tmp_path, [review(), review(item="A4")])
    summary, dataset = converted(source, images=tmp_path / "images")
    assert dataset.items["A1"].images == ("images/deep/A1.png",)
    assert dataset.items["A4"].images == ("images/deep/A4.webp",)
    assert (summary["items_with_image"], summary["items_with_neither"]) == (2, 0)
    assert summary["items_not_listed"] == 1
    assert dataset.notes[0] == "interactions.csv: columns that are not used: rating"


def test_without_a_file_of_items_images_alone_will_do(tmp_path, converted, refused):
    source = write(tmp_path / "source", Mugs__json__gz=json_lines(review()))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "A1.jpg").write_bytes(b"x")
    assert "no item file beside it" in refused(source)
    assert converted(source, images=tmp_path / "images")[1].items["A1"].images
    write(tmp_path, other__json=json_lines({"asin": "A1", "title": "Mug"}))
    _, dataset = converted(source, items=tmp_path / "other.json")
    assert dataset.items["A1"].title == "Mug"


def test_an_image_named_twice_and_one_outside_the_folder(tmp_path):
    for name in ("b/x.jpg", "a/x.png", "y.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "z.jpg").write_bytes(b"")
    images = find_images(tmp_path / "in")
    assert {name: relative for name, (_, relative) in images.items()} == {
        "x": "a/x.png",
        "y": "y.jpg",
    }


def test_where_links_are_impossible_images_are_copied(tmp_path, converted, monkeypatch):
    def refuse(*_):
        raise OSError("another disk")

    monkeypatch.setattr("os.link", refuse)
    _, dataset = converted(hm(tmp_path))
    copied = tmp_path / "dataset" / dataset.items["0108775015"].images[0]
    assert copied.read_bytes() == b"010/0108775015.jpg"


def test_an_item_gets_ten_images_at_most(tmp_path, converted):
    source = hm(tmp_path)
    articles = [f"0200000{n:03d}" for n in range(12)]
    with (source / "articles.csv").open("a") as stream:
        stream.writelines(f"{name},,Hat,Hat,Head,Solid,Red,L,L,\n" for name in articles)
    for name in articles:
        (source / "images" / f"{name}.jpg").write_bytes(b"")
    _, dataset = converted(source, level="product")
    assert dataset.items["0200000"].images == tuple(f"images/{name}.jpg" for name in articles[:10])
    assert len(list((tmp_path / "dataset/images").glob("*.jpg"))) == 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipes_are_refused_and_not_waited_for(tmp_path, refused):
    (tmp_path / "x.item").write_text("item_id:token\n")
    os.mkfifo(tmp_path / "x.inter")
    for source in (tmp_path, tmp_path / "x.inter"):
        assert "x.inter: not a file, but a folder, pipe or device" in refused(source)
    os.mkfifo(tmp_path / "ratings.csv")
    assert "ratings.csv: not a file" in refused(tmp_path / "ratings.csv")
