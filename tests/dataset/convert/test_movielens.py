"""All releases of MovieLens become datasets."""

import pytest
from published_files import MOVIES, write


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("release", MOVIES)
def test_movielens(tmp_path, converted, release, encoding):
    files = {name: content.encode(encoding) for name, content in MOVIES[release].items()}
    summary, dataset = converted(write(tmp_path / "source", **files))
    assert dataset.user_history("196") == ["2", "1"]
    assert dataset.items["1"].title == "Été (1995)"
    assert dataset.items["1"].categories == ("Animation", "Children's", "Comedy")
    assert dataset.items["2"].categories == ()
    assert (summary["items"], summary["interactions"]) == (2, 2)


def test_a_movie_title_with_quotes_commas_and_a_line_break(tmp_path, converted):
    source = write(
        tmp_path / "source",
        ratings__csv="userId,movieId,rating,timestamp\n1,1,3,10\n",
        movies__csv='\ufeffmovieId,title,genres\n1,"Two, ""three""\nfour (1999)",Drama\n',
    )
    assert converted(source)[1].items["1"].title == 'Two, "three"\nfour (1999)'


def test_a_movie_title_with_the_mark_between_fields(tmp_path, converted):
    files = MOVIES["1m"] | {"movies__dat": "1::Two::three (1999)::Drama\n", "items__jsonl": "[]"}
    _, dataset = converted(write(tmp_path / "source", **files))  # and a stray file of another kind
    assert dataset.items["1"].title == "Two::three (1999)"
