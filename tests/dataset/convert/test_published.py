"""Bad rows are skipped and counted; too many of them stop a conversion."""

import csv
import json

import pytest
from published_files import MOVIES, amazon_2018, json_lines, review, write

from msm4sr_lite.dataset import lines
from msm4sr_lite.dataset.convert import published


def test_bad_lines_are_counted_and_the_first_is_named(tmp_path, converted):
    bad = ["{", "[1]", json.dumps(review(user="")), json.dumps(review(time="soon"))]
    good = [review(user=f"u{n}") for n in range(500)]
    summary, dataset = converted(amazon_2018(tmp_path, [*good[:7], *bad, *good[7:]]))
    assert (summary["skipped_lines"], summary["interactions"]) == (4, 500)
    assert "Mugs_5.json.gz line 8: not a JSON object" in summary["first_skipped"]
    assert len(dataset.interactions) == 500


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (review(user=None), "no reviewerID"),
        (review(user=True), "no reviewerID"),
        (review(item="  "), "no asin"),
        (review(item="a\x00b"), "unprintable"),
        (review(time=None), "no unixReviewTime"),
        (review(time={"a": 1}), "is not a number"),
        (review(time=10**400), "is not a number"),
        (review(stars=float("nan")), "is not a number"),
        ("[" * 100_000, "nested too deeply"),
        ("{'a': " + "[" * 5000, "neither a JSON object nor a Python dictionary"),
        ("{'asin': __import__('os')}", "malformed node"),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path, converted, record, reason):
    summary, _ = converted(amazon_2018(tmp_path, [review(), record]))
    assert summary["skipped_lines"] == 1
    assert reason in summary["first_skipped"]


def test_too_many_bad_lines_are_another_format(tmp_path, refused):
    reviews = [review() for _ in range(396)]
    message = refused(amazon_2018(tmp_path, ["{"] * 5 + reviews))
    assert "Mugs_5.json.gz line 1: not a JSON object" in message
    assert "5 of the first 401 lines" in message
    assert "reviewerID" in message


def test_a_large_file_of_another_format_is_not_read_to_its_end(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(published, "SOON", 50)
    message = refused(amazon_2018(tmp_path, [review(), *[{"user_id": "u"}] * 5000]))
    assert "49 of the first 50 lines" in message


def test_a_csv_row_with_a_stray_quote_costs_only_the_lines_it_swallows(tmp_path, converted):
    rows = [f"{n},1,3,{n}" for n in range(20_000)]
    rows[5] = '5,"1,3,5'
    text = "\n".join(["userId,movieId,rating,timestamp", *rows, ""])
    source = write(
        tmp_path / "source", ratings__csv=text, movies__csv="movieId,title,genres\n1,A,\n"
    )
    limit = csv.field_size_limit(1000)
    try:
        summary, _ = converted(source)
    finally:
        csv.field_size_limit(limit)
    assert "ratings.csv line 7" in summary["first_skipped"]
    assert summary["interactions"] + summary["skipped_lines"] == 20_000
    assert 20 < summary["skipped_lines"] < 200


def test_files_cut_short_and_lines_without_end(tmp_path, refused, monkeypatch):
    source = amazon_2018(tmp_path, [review(f"user {n * 7919}") for n in range(2000)])
    path = source / "Mugs_5.json.gz"
    path.write_bytes(path.read_bytes()[:-500])
    assert "cannot be read (Compressed" in refused(source)
    monkeypatch.setattr(lines, "LONGEST", 40)
    assert "line 1: longer than" in refused(amazon_2018(tmp_path))
    other = write(tmp_path / "movies", **MOVIES["latest"])
    assert "line 2: longer than" in refused(other)  # in a csv file too
    (tmp_path / "data.zip").write_bytes(b"")
    assert "unpack the archive first" in refused(tmp_path / "data.zip")
    assert "nowhere: no such file" in refused(tmp_path / "nowhere")


def test_a_file_that_a_browser_unpacked_without_renaming_it(tmp_path, converted):
    source = amazon_2018(tmp_path)
    (source / "Mugs_5.json.gz").write_text(json_lines(review()))
    assert len(converted(source / "Mugs_5.json.gz")[1].interactions) == 1


def test_what_is_not_a_text_comes_out_readable(tmp_path, converted):
    meta = [
        '{"asin": "A1", "title": "broken \\ud83d emoji"}',
        {"asin": "A2", "title": "x\r\ny\x85z"},
    ]
    _, dataset = converted(amazon_2018(tmp_path, meta=meta))
    assert dataset.items["A1"].title == "broken \ufffd emoji"
    assert dataset.items["A2"].title == "x\r\ny\x85z"
