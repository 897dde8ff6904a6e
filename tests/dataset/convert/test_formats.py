"""The format is recognised by file names; what is missing or ambiguous is named."""

import pytest
from published_files import MOVIES, write


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, {}, "nothing here that can be converted; looked for amazon-2018: reviews X.json"),
        ({"u__data": "1\t1\t1\t1\n"}, {"format": "hm"}, "looked for hm: transactions_train.csv"),
        ({"u__data": "1\t1\t1\t1\n"}, {}, "no file of items beside it"),
        ({"u__data": "1\t1\t1\t1\n", "u__item": "x"}, {}, "u.item line 1: 1 fields instead of 24"),
        (MOVIES["100k"] | {"u__data": ""}, {}, "u.data: no line with data in it"),
        (MOVIES["1m"] | {"ratings__dat": "1::2::3\n"}, {}, "3 fields instead of 4"),
        (MOVIES["latest"] | {"ratings__csv": "a,b\n"}, {}, "no column userId, movieId"),
        (MOVIES["latest"] | {"ratings__csv": b"\x00\xff" * 99}, {}, "no column userId"),
        (
            MOVIES["latest"] | MOVIES["100k"] | {"a__inter": ""},
            {},
            "could be movielens or recbole; name the format",
        ),
        (
            MOVIES["1m"],
            {"level": "product"},
            "level 'product' does not exist in MovieLens; it has no levels; only H&M",
        ),
        (MOVIES["1m"], {"min_rating": 6}, "rating of at least 6; lower min_rating"),
        (MOVIES["1m"], {"min_rating": float("nan")}, "rating of at least nan; lower min_rating"),
        (MOVIES["1m"], {"items": "nowhere"}, "items names the file"),
        (MOVIES["1m"], {"images": "nowhere"}, "images must be in a folder"),
        ({"A__json__gz": "", "B__json__gz": ""}, {}, "2 review files (A.json.gz, B.json.gz)"),
        ({"a__inter": "", "b__inter": ""}, {}, "2 .inter files (a.inter, b.inter)"),
        ({"a__inter": "user_id:token,item_id:token\n", "a__item": "x"}, {}, "and a tab in others"),
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
