"""Images in a folder are found by item id and linked or copied into the dataset."""

from published_files import amazon_2018, hm, json_lines, review, write

from msm4sr_lite.dataset.convert import find_images


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
    assert (summary["items_not_listed"], dataset.notes) == (1, [])


def test_without_a_file_of_items_images_alone_will_do(tmp_path, converted, refused):
    source = write(tmp_path / "source", Mugs__json__gz=json_lines(review()))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "A1.jpg").write_bytes(b"x")
    assert "no file of items beside it" in refused(source)
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
