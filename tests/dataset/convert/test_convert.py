"""Other people's data, with all their quirks, become a shop folder that can be read."""

import csv
import gzip
import html
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msm4sr_lite.cli import build_parser, main
from msm4sr_lite.dataset.convert import formats, lines
from msm4sr_lite.dataset.convert import hm as hm_format
from msm4sr_lite.dataset.convert.id_set import IdSet
from msm4sr_lite.dataset.convert.images import PictureFolder
from msm4sr_lite.dataset.convert.write import convert
from msm4sr_lite.dataset.folder import read_folder


def json_lines(*records):
    return "".join(
        (record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records
    )


def read_json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write(folder, **files):
    """Write files whose names have two underscores for each dot; `.gz` is packed."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return folder


def review(user="u1", item="A1", time=1500000000, stars=5.0):
    return {"reviewerID": user, "asin": item, "unixReviewTime": time, "overall": stars}


def amazon_2018(tmp_path, reviews=None, meta=None, **names):
    return write(
        tmp_path / "source",
        Mugs_5__json__gz=json_lines(*(reviews or [review(), review(item="A2")])),
        meta_Mugs__json__gz=json_lines(
            *(meta or [{"asin": "A1", "title": "Mug"}, {"asin": "A2", "title": "Cup"}])
        ),
    )


@pytest.fixture
def converted(tmp_path, capsys):
    """Return a function that converts and gives back the summary and the shop as it is read."""

    def run(source, *flags):
        code = main(["convert", str(source), "--out", str(tmp_path / "dataset"), "--json", *flags])
        out = capsys.readouterr()
        assert code == 0, out.err
        return json.loads(out.out), read_folder(tmp_path / "dataset")

    return run


@pytest.fixture
def refused(tmp_path, capsys):
    """Return a function that expects one line of error, exit code 2, and nothing written."""

    def run(source, *flags, out="dataset"):
        before = sorted(tmp_path.rglob("*"))
        assert main(["convert", str(source), "--out", str(tmp_path / out), *flags]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return message

    return run


def test_amazon_2018(tmp_path, converted):
    meta = [
        {
            "asin": "A1",
            "title": " Mug &amp; saucer",
            "brand": "by\n    \n    Norr",
            "category": ["Home", "Mugs", "</span></span></span>", "Holds tea"],
            "description": ["Blue.", "", "Holds <b>tea</b>."],
            "imageURL": ["https://example.org/small.jpg"],
            "imageURLHighRes": ["https://example.org/large.jpg"],
        },
        {"asin": "A2", "title": "var t = new Date().getTime();", "brand": "", "category": []}
        | {"description": "", "feature": ["Dishwasher safe", "Stacks"], "imageURL": ""},
        "{'asin': 'A3', 'title': u'Bowl \\d', 'categories': [['Home', 'Bowls'], ['x']],"
        " 'brand': \"Visit Amazon's Skål Page\", 'imUrl': 'http://example.org/old.jpg'}",
        {"asin": "A1", "title": "the crawler came twice"},
        {"asin": "A5", "title": None, "brand": float("nan"), "category": {}, "description": [[]]},
    ]
    reviews = [review(), review(), review("u2", "A2", stars=1.0), review("u2", "A4"), review("u3")]
    summary, dataset = converted(amazon_2018(tmp_path, reviews, meta))
    assert list(dataset.items) == ["A1", "A2", "A3"]
    mug, other, bowl = dataset.items.values()
    assert (mug.brand, mug.categories) == ("Norr", ("Home", "Mugs"))
    assert (mug.title, mug.description) == ("Mug &amp; saucer", "Blue.\nHolds <b>tea</b>.")
    assert (other.title, other.description) == ("", "Dishwasher safe\nStacks")
    assert (bowl.title, bowl.brand, bowl.categories) == ("Bowl \\d", "Skål", ("Home", "Bowls"))
    # A4 was bought but not listed, A5 has no words: both stand in the file, neither can be used.
    assert "2 items have neither text nor picture" in dataset.notes[0]
    assert dataset.interactions["user_id"].tolist() == ["u1", "u1", "u2", "u3"]
    counts = {
        "users": 3,
        "items": 5,
        "interactions": 5,
        "items_with_text": 3,
        "items_with_neither": 2,
        "items_not_listed": 1,
        "repeated_item_rows": 1,
        "skipped_lines": 0,
    }
    assert counts.items() <= summary.items()
    rows = (tmp_path / "shop/interactions.csv").read_text().split("\n")
    assert [rows[0], rows[3]] == ["user_id,item_id,timestamp,rating", "u2,A2,1500000000,1.0"]
    stored = read_json_lines(tmp_path / "shop/items.jsonl")
    assert [item.get("image_url") for item in stored] == [
        "https://example.org/large.jpg",
        None,
        "http://example.org/old.jpg",
        None,
        None,
    ]


def test_amazon_2023(tmp_path, converted):
    images = [
        {"variant": "PT01", "large": "https://example.org/side.jpg"},
        {"variant": "MAIN", "hi_res": None, "large": "https://example.org/front.jpg"},
    ]
    record = {"user_id": "u1", "asin": "child", "parent_asin": "P1", "rating": 4.0}
    source = write(
        tmp_path / "source",
        Mugs__jsonl=json_lines(
            record | {"timestamp": 1588687728923},
            record
            | {"timestamp": 1588687728000, "parent_asin": "P2", "rating": 2.0, "user_id": "u2"},
        ),
        meta_Mugs__jsonl__gz=json_lines(
            {"parent_asin": "P1", "title": "Mug", "store": "Norr", "images": images}
            | {"main_category": "Home", "categories": [], "description": [], "features": ["Blue"]},
            {"parent_asin": "P2", "title": "Cup", "categories": ["Home", "Cups"], "images": 7},
        ),
    )
    summary, dataset = converted(source)
    assert dataset.interactions["item_id"].tolist() == ["P2", "P1"]
    assert dataset.interactions["timestamp"].tolist() == [1588687728.0, 1588687728.923]
    mug, cup = dataset.items.values()
    assert (mug.brand, mug.categories, mug.description) == ("Norr", ("Home",), "Blue")
    assert cup.categories == ("Home", "Cups")
    first = read_json_lines(tmp_path / "shop/items.jsonl")[0]
    assert first["image_url"] == "https://example.org/front.jpg"

    summary, dataset = converted(source, "--min-rating", "4")
    assert (summary["interactions"], summary["below_min_rating"], summary["users"]) == (1, 1, 1)
    assert dataset.interactions["item_id"].tolist() == ["P1"]


def test_amazon_2023_in_the_folders_of_its_publishers(tmp_path, converted):
    record = {"user_id": "u", "parent_asin": "P", "rating": 4.0, "timestamp": 1000}
    write(tmp_path / "review_categories", Mugs__jsonl=json_lines(record))
    write(
        tmp_path / "meta_categories",
        meta_Mugs__jsonl=json_lines({"parent_asin": "P", "title": "Mug"}),
    )
    assert converted(tmp_path / "review_categories")[1].items["P"].title == "Mug"


FLAGS = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
MOVIES = {
    "100k": {
        "u__data": "196\t1\t3\t881250949\n196\t2\t5\t881250940\n",
        "u__item": f"1|Été (1995)|01-Jan-1995||http://example.org|{FLAGS}\n"
        f"2|unknown||||1|{'|'.join('0' * 18)}\n",
    },
    "1m": {
        "ratings__dat": "196::1::3::881250949\n196::2::5::881250940\n",
        "movies__dat": "1::Été (1995)::Animation|Children's|Comedy\n2::unknown::\n",
    },
    "latest": {
        "ratings__csv": "userId,movieId,rating,timestamp\r\n196,1,3,881250949\r\n"
        "196,2,5,881250940\r\n",
        "movies__csv": "movieId,title,genres\r\n1,Été (1995),Animation|Children's|Comedy\r\n"
        "2,unknown,(no genres listed)\r\n",
    },
}


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


def test_recbole(tmp_path, converted):
    source = write(
        tmp_path / "source",
        toys__inter="timestamp:float\tuser_id:token\tproduct_id:token\trating:float\n"
        "20\tu1\tb\t4.0\n10\tu1\ta\t5.0\n",
        toys__item="product_id:token\tmovie_title:token_seq\tcategories:token_seq\tprice:float\n"
        "a\tA \"quoted\" bear\t'Toys & Games', 'Bears'\t3.5\nb\tBall\tToys\t\n",
        toys__user="user_id:token\nu1\n",
    )
    _, dataset = converted(source)
    assert dataset.user_history("u1") == ["a", "b"]
    assert dataset.items["a"].title == 'A "quoted" bear'
    assert dataset.items["a"].categories == ("Toys & Games", "Bears")
    assert dataset.items["b"].categories == ("Toys",)


HM_COLUMNS = (
    "article_id,product_code,prod_name,product_type_name,product_group_name,"
    "graphical_appearance_name,colour_group_name,index_name,index_group_name,detail_desc\n"
)


def hm(tmp_path, zero="0"):
    source = write(
        tmp_path / "source",
        transactions_train__csv="t_dat,customer_id,article_id,price,sales_channel_id\n"
        f"2018-09-21,c1,{zero}108775044,0.05,2\n2018-09-20,c1,{zero}108775015,0.05,2\n"
        f"2018-09-20,c1,{zero}108775015,0.05,2\n2018-09-20,c1,{zero}110065001,0.05,1\n",
        articles__csv=HM_COLUMNS
        + f"{zero}108775015,108775,Strap top,Vest top,Upper,Solid,Black,Ladies,Ladieswear,\n"
        + f"{zero}108775044,108775,Strap top,Vest top,Upper,Solid,White,Ladies,Ladieswear,Soft\n"
        + f'{zero}110065001,110065,Socks,Socks,Legs,Dot,Red,Ladies,Ladieswear,"Warm, soft"\n',
    )
    for name in ("010/0108775015.jpg", "010/0108775044.JPG", "011/0999999999.jpg"):
        path = source / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return source


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
    assert (summary["items"], summary["items_with_picture"]) == (3, 2)
    linked = tmp_path / "dataset" / top.images[0]
    assert linked.samefile(tmp_path / "source" / top.images[0])
    assert "rating" not in (tmp_path / "shop/interactions.csv").read_text()
    assert len(list((tmp_path / "shop/images").rglob("*.*"))) == 2  # none of an unknown article


def test_a_day_starts_at_the_same_moment_everywhere(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    getattr(time, "tzset", bool)()  # there is none on Windows
    try:
        assert hm_format._midnight.__wrapped__("2018-09-20") == 1537401600
    finally:
        monkeypatch.undo()
        getattr(time, "tzset", bool)()


def test_hm_products(tmp_path, converted):
    summary, dataset = converted(hm(tmp_path), "--level", "product", "--copy-images")
    assert dataset.user_history("c1") == ["0108775", "0108775", "0110065", "0108775"]
    top = dataset.items["0108775"]
    assert top.images == ("images/010/0108775015.jpg", "images/010/0108775044.JPG")
    assert top.categories == ("Ladies", "Upper", "Vest top")
    copied = tmp_path / "dataset" / top.images[0]
    assert copied.read_bytes() == b"010/0108775015.jpg"
    assert not copied.samefile(tmp_path / "source" / top.images[0])
    assert summary["items_with_picture"] == 1


def test_pictures_of_a_folder_even_for_items_that_are_not_listed(tmp_path, converted):
    pictures = tmp_path / "pictures" / "deep"
    pictures.mkdir(parents=True)
    for name in ("A1.png", "A4.webp", "A2.txt", "A3"):
        (pictures / name).write_bytes(b"x")
    source = amazon_2018(tmp_path, [review(), review(item="A4")])
    summary, dataset = converted(source, "--images", str(tmp_path / "pictures"))
    assert dataset.items["A1"].images == ("images/deep/A1.png",)
    assert dataset.items["A4"].images == ("images/deep/A4.webp",)
    assert (summary["items_with_picture"], summary["items_with_neither"]) == (2, 0)
    assert (summary["items_not_listed"], dataset.notes) == (1, [])


def test_without_a_file_of_items_pictures_alone_will_do(tmp_path, converted, refused):
    source = write(tmp_path / "source", Mugs__json__gz=json_lines(review()))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "A1.jpg").write_bytes(b"x")
    assert "no file of items beside it" in refused(source)
    assert converted(source, "--images", str(tmp_path / "pictures"))[1].items["A1"].images
    write(tmp_path, other__json=json_lines({"asin": "A1", "title": "Mug"}))
    _, dataset = converted(source, "--items", str(tmp_path / "other.json"))
    assert dataset.items["A1"].title == "Mug"


def test_a_picture_named_twice_and_a_name_that_leads_outside(tmp_path):
    for name in ("b/x.jpg", "a/x.png", "y.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "z.jpg").write_bytes(b"")
    pictures = PictureFolder(tmp_path / "in")
    assert len(pictures) == 3
    assert [pictures.find(n) for n in ("x", "y", "../z", "")] == ["a/x.png", "y.jpg", "", ""]
    pictures._keys[:] = hash("../z")  # as if the hashes were the same by chance
    assert pictures.find("../z") == ""


# ------------------------------------------------------------------------------- bad input


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
        (review(item="  "), "empty asin"),
        (review(item="a\x00b"), "unprintable"),
        (review(time=None), "no unixReviewTime"),
        (review(time={"a": 1}), "no number"),
        (review(time=10**400), "no number"),
        (review(stars=float("nan")), "no number"),
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
    monkeypatch.setattr(lines, "SOON", 50)
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


@pytest.mark.parametrize(
    ("files", "flags", "words"),
    [
        ({}, [], "nothing here that can be converted; looked for amazon-2018: reviews X_5.json.gz"),
        ({"u__data": "1\t1\t1\t1\n"}, ["--from", "hm"], "looked for hm: transactions_train.csv"),
        ({"u__data": "1\t1\t1\t1\n"}, [], "no file of items beside it"),
        ({"u__data": "", "u__item": "x"}, [], "u.item line 1: 1 fields instead of 24"),
        (MOVIES["100k"] | {"u__data": ""}, [], "u.data: no line with data in it"),
        (MOVIES["1m"] | {"ratings__dat": "1::2::3\n"}, [], "3 fields instead of 4"),
        (MOVIES["latest"] | {"ratings__csv": "a,b\n"}, [], "no column userId, movieId"),
        (MOVIES["latest"] | {"ratings__csv": b"\x00\xff" * 99}, [], "no column userId"),
        (
            MOVIES["latest"] | MOVIES["100k"] | {"a__inter": ""},
            [],
            "could be movielens or recbole; say",
        ),
        (MOVIES["1m"], ["--level", "product"], "--level is for H&M; these are MovieLens"),
        (MOVIES["1m"], ["--min-rating", "6"], "rating of at least 6; lower --min-rating"),
        (MOVIES["1m"], ["--items", "nowhere"], "--items names the file"),
        (MOVIES["1m"], ["--images", "nowhere"], "--images names a folder"),
        ({"A__json__gz": "", "B__json__gz": ""}, [], "2 review files (A.json.gz, B.json.gz)"),
        ({"a__inter": "", "b__inter": ""}, [], "2 .inter files (a.inter, b.inter)"),
        ({"a__inter": "user_id\titem_id\n", "a__item": "x"}, [], "name each field with its type"),
        (
            {"a__inter": "user_id:token\titem_id:token\nu\ti\n", "a__item": "item_id:token\ni\n"},
            [],
            "no field timestamp",
        ),
        (
            {"a__inter": "user_id:token\titem_id:token\ttimestamp:float\nu\ti\t1\n"}
            | {"a__item": "item_id:token\ttitle:token_seq\ni\tBall\n"},
            ["--min-rating", "3"],
            "these data have no ratings",
        ),
    ],
)
def test_wrong_or_missing_files_are_one_clear_line(tmp_path, refused, files, flags, words):
    assert words in refused(write(tmp_path / "source", **files), *flags)


def test_files_cut_short_and_lines_without_end(tmp_path, refused, monkeypatch):
    source = amazon_2018(tmp_path, [review(f"user {n * 7919}") for n in range(2000)])
    path = source / "Mugs_5.json.gz"
    path.write_bytes(path.read_bytes()[:-500])
    assert "cannot be read to its end" in refused(source)
    monkeypatch.setattr(lines, "LONGEST", 30)
    assert "a line is longer than" in refused(amazon_2018(tmp_path))
    other = write(tmp_path / "movies", **MOVIES["latest"])
    assert "a line is longer than" in refused(other)  # in a csv file too
    (tmp_path / "data.zip").write_bytes(b"")
    assert "unpack the archive first" in refused(tmp_path / "data.zip")
    assert "no such file or folder" in refused(tmp_path / "nowhere")


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
    assert dataset.items["A1"].title == "broken ? emoji"
    assert dataset.items["A2"].title == "x\r\ny\x85z"


# --------------------------------------------------------------------------- the shop folder


def test_only_a_folder_of_ours_is_replaced(tmp_path, converted, refused):
    source = amazon_2018(tmp_path)
    converted(source)
    converted(amazon_2018(tmp_path, [review()]))  # again, over its own result
    (tmp_path / "dataset" / "notes.txt").write_text("mine")
    assert "holds 'notes.txt', which no conversion wrote" in refused(source)
    converted(source, "--force")
    assert not (tmp_path / "dataset" / "notes.txt").exists()
    (tmp_path / "dataset" / "converted.json").unlink()
    assert "which no conversion wrote" in refused(source)
    assert "must not be replaced" in refused(source, "--force", out="source")
    assert "must not be replaced" in refused(source, "--force", out="")
    assert "is a file" in refused(source, out="source/Mugs_5.json.gz")


def test_a_conversion_that_fails_leaves_the_old_shop(tmp_path, converted, refused):
    converted(amazon_2018(tmp_path))
    before = (tmp_path / "shop/interactions.csv").read_text()
    refused(amazon_2018(tmp_path, ["{"]))
    assert (tmp_path / "shop/interactions.csv").read_text() == before


def test_where_links_are_impossible_pictures_are_copied(tmp_path, converted, monkeypatch):
    def refuse(*_):
        raise OSError("another disk")

    monkeypatch.setattr("os.link", refuse)
    _, dataset = converted(hm(tmp_path))
    copied = tmp_path / "dataset" / dataset.items["0108775015"].images[0]
    assert copied.read_bytes() == b"010/0108775015.jpg"


def test_an_item_gets_ten_pictures_at_most(tmp_path, converted):
    source = hm(tmp_path)
    articles = [f"0200000{n:03d}" for n in range(12)]
    with (source / "articles.csv").open("a") as stream:
        stream.writelines(f"{name},,Hat,Hat,Head,Solid,Red,L,L,\n" for name in articles)
    for name in articles:
        (source / "images" / f"{name}.jpg").write_bytes(b"")
    _, dataset = converted(source, "--level", "product")
    assert dataset.items["0200000"].images == tuple(f"images/{name}.jpg" for name in articles[:10])
    assert len(list((tmp_path / "shop/images").glob("*.jpg"))) == 10


def test_a_place_that_cannot_be_written(tmp_path, refused):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(amazon_2018(tmp_path), out="file/shop")


def test_the_closing_line_tells_what_happened(tmp_path, capsys):
    source = amazon_2018(tmp_path, [review(), review(item="A9", stars=5), "{"])
    assert main(["convert", str(source), "--out", str(tmp_path / "dataset")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "Amazon reviews 2018, 1 users, 3 items, 2 interactions" in line
    assert "2 items with text, 0 with a picture" in line
    assert "1 items were bought but not listed" in line
    assert "1 lines skipped, the first: " in line
    assert "below --min-rating" not in line


def test_the_command_offers_every_format():
    parser = build_parser()
    for name in formats.FORMATS:
        assert parser.parse_args(["convert", "x", "--out", "y", "--from", name]).format == name
    with pytest.raises(SystemExit):
        parser.parse_args(["convert", "x", "--out", "y", "--from", "nonsense"])


# -------------------------------------------------------------------------------- properties

NAMES = ["", *(a + b for a in "abcdefghij" for b in "abcdefghij")]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=20), max_size=12))
def test_an_id_set_is_a_set(batches):
    compact, plain = IdSet(), set()
    for batch in batches:
        expected = []
        for name in batch:
            expected.append(name not in plain)
            plain.add(name)
        assert compact.add(batch).tolist() == expected
        assert len(compact) == len(plain)


def test_an_id_set_takes_eight_bytes_an_id():
    ids = IdSet()
    for start in range(0, 50_000, 1000):
        assert ids.add([str(n) for n in range(start, start + 1000)]).all()
    assert sum(run.nbytes for run in ids._runs) == 50_000 * 8
    assert len(ids._runs) < 8
    assert not np.any(ids.add([str(n) for n in range(50_000)]))


def cells(least):
    """Cells of a table separated by tabs: stripped, of printable characters."""
    letters = st.characters(exclude_categories=["C", "Z"])
    return st.text(letters | st.just(" "), min_size=least, max_size=8).map(str.strip)


IDS = cells(1).filter(bool)


@settings(max_examples=25, deadline=None)
@given(
    items=st.dictionaries(IDS, cells(1).filter(bool), min_size=1, max_size=5),
    interactions=st.lists(
        st.tuples(IDS, st.integers(0, 4), st.integers(-(10**9), 10**12)), min_size=1, max_size=12
    ),
)
def test_recbole_round_trip(tmp_path_factory, items, events):
    folder = tmp_path_factory.mktemp("recbole")
    ids = list(items)
    rows = [(user, ids[item % len(ids)], time) for user, item, time in events]
    write(
        folder,
        a__inter="user_id:token\titem_id:token\ttimestamp:float\n"
        + "".join(f"{user}\t{item}\t{time}\n" for user, item, time in rows),
        a__item="item_id:token\ttitle:token_seq\n"
        + "".join(f"{item}\t{title}\n" for item, title in items.items()),
    )
    convert(*formats.find(folder), folder / "dataset")
    dataset = read_folder(folder / "dataset")
    assert {item.item_id: item.title for item in dataset.items.values()} == items
    expected = sorted(rows, key=lambda row: row[2])
    assert list(dataset.interactions.itertuples(index=False, name=None)) == expected


def test_the_real_amazon_files(tmp_path, converted, shared_data):
    folder = shared_data / "amazon_giftcards_raw"
    summary, dataset = converted(folder)
    facts = json.loads((folder / "stats.json").read_text())
    assert summary["users"] == facts["users"]
    assert summary["items"] == facts["items_in_catalogue"]
    assert summary["interactions"] == len(dataset.interactions) == facts["interactions"]
    assert dataset.interactions["item_id"].nunique() == facts["items_interacted"]
    assert (summary["skipped_lines"], dataset.notes) == (0, [])

    ours, theirs = (
        sorted((where / "interactions.csv").read_text().splitlines())
        for where in (tmp_path / "dataset", folder)
    )
    assert ours == theirs
    theirs = read_json_lines(folder / "items.jsonl")
    assert [item["item_id"] for item in theirs] == list(dataset.items)
    for item in theirs:
        ours = dataset.items[item["item_id"]]
        assert " ".join(html.unescape(ours.title).split()) == " ".join(item["title"].split())
        if item["description"]:
            assert html.unescape(ours.description).split() == item["description"].split()
