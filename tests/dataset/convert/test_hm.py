"""H&M transactions become datasets of articles or of products."""

import time

import pytest
from published_files import hm


@pytest.mark.parametrize("zero", ["0", ""])
def test_hm_articles(tmp_path, converted, zero):
    summary, dataset = converted(hm(tmp_path, zero))
    assert dataset.user_history("c1") == ["0108775015", "0108775015", "0110065001", "0108775044"]
    assert dataset.interactions["timestamp"].tolist()[::3] == [1537401600, 1537488000]
    top = dataset.items["0108775044"]
    assert top.images == ("images/010/0108775044.JPG",)
    assert top.categories == ("Ladies", "Upper", "Vest top", "Solid", "White")
    assert (top.title, top.description, top.domain) == ("Strap top", "Soft", "Ladieswear")
    assert dataset.items["0110065001"].description == "Warm, soft"
    assert (summary["items"], summary["items_with_image"]) == (3, 2)
    linked = tmp_path / "dataset" / top.images[0]
    assert linked.samefile(tmp_path / "source" / top.images[0])
    assert "rating" not in (tmp_path / "dataset/interactions.csv").read_text()
    assert len(list((tmp_path / "dataset/images").rglob("*.*"))) == 2  # none of an unknown article


@pytest.mark.parametrize("day", ["2018-99-21", "2018-09-20T10:00:00+05:00", "20180921"])
def test_another_form_of_a_day_is_skipped_and_counted(tmp_path, converted, day):
    source = hm(tmp_path)
    path = source / "transactions_train.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("2018-09-20", day, 1), encoding="utf-8")
    summary, _ = converted(source)
    assert summary["skipped_lines"] == 1
    assert "transactions_train.csv line" in summary["first_skipped"]


def test_a_day_starts_at_the_same_moment_everywhere(tmp_path, converted, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    getattr(time, "tzset", bool)()  # there is none on Windows
    try:
        _, dataset = converted(hm(tmp_path))
        assert dataset.interactions["timestamp"].min() == 1537401600
    finally:
        monkeypatch.undo()
        getattr(time, "tzset", bool)()


def test_hm_products(tmp_path, converted):
    summary, dataset = converted(hm(tmp_path), level="product", copy_images=True)
    assert dataset.user_history("c1") == ["0108775", "0108775", "0110065", "0108775"]
    top = dataset.items["0108775"]
    assert top.images == ("images/010/0108775015.jpg", "images/010/0108775044.JPG")
    assert top.categories == ("Ladies", "Upper", "Vest top")
    copied = tmp_path / "dataset" / top.images[0]
    assert copied.read_bytes() == b"010/0108775015.jpg"
    assert not copied.samefile(tmp_path / "source" / top.images[0])
    assert summary["items_with_image"] == 1
