"""The table reader: every kind of file, rows with their places, and what is wrong with them."""

import csv
import gzip
import io
import json
import random

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset import tables
from msm4sr_lite.dataset.tables import read_columns, read_header, read_rows
from tests.toys import write_frame

CELLS = {"a": ["1", "x y", ""], "b": ["é", "", "3"]}


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file."""

    def write(name, content):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def rows(path, *args, **options):
    return [cells for _, cells in read_rows(path, *args, **options)]


NAMES = ("t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_gives_the_same_rows_and_columns(tmp_path, name):
    frame = pd.DataFrame(CELLS)
    write_frame(tmp_path / name, frame)
    assert rows(tmp_path / name) == frame.to_dict("records")
    found = read_columns(tmp_path / name, ["b", "a"])
    assert found.to_dict("list") == {"b": CELLS["b"], "a": CELLS["a"]}


def test_a_table_without_rows_has_its_columns(file, tmp_path):
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", file("t.csv", "a\n"), file("t.jsonl", "")):
        found = read_columns(path, ["a"])
        assert (len(found), list(found)) == (0, ["a"])


def test_places_are_the_lines_that_an_editor_shows(file):
    text = 'a,b\n1,2\n\n   \n"two\nlines",3\n4,5\n'
    path = file("t.csv", text)
    assert [place for place, _ in read_rows(path)] == [2, 5, 7]
    assert read_columns(path, ["a"]).index.tolist() == [2, 5, 7]
    assert tables.place_in(path).endswith("t.csv line")
    assert [place for place, _ in read_rows(file("t.jsonl", '{}\n\n{"a": 1}\n'))] == [1, 3]


def test_byte_order_mark_spaces_in_the_header_and_old_line_ends(file):
    assert rows(file("t.csv", "\ufeff a , b\r1,2\r3,4\r")) == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_columns_are_those_of_the_rows_whatever_a_block_holds(tmp_path, monkeypatch, name):
    monkeypatch.setattr(tables, "BLOCK", 3)
    generator = random.Random(0)
    numbers = ["1", "2.5", "-7", "1e9", " 12", "soon", "", "1_000", "nan", "\u0661", "True"]
    for n_rows in (1, 3, 4, 20):
        cells = {"a": generator.choices("xyz", k=n_rows), "b": generator.choices(numbers, k=n_rows)}
        write_frame(tmp_path / name, pd.DataFrame(cells))
        found = read_columns(tmp_path / name, ["a", "b"], optional=["c"], numbers=["b"])
        expected = list(read_rows(tmp_path / name))
        assert found.index.tolist() == [place for place, _ in expected]
        assert found["a"].tolist() == [row["a"] for _, row in expected]
        for cell, (_, row) in zip(found["b"], expected, strict=True):
            assert cell == row["b"] or cell == float(row["b"])


@pytest.mark.parametrize(("cell", "number"), [(3, 3.0), ("1e3", 1000.0), (2**70, 2.0**70)])
def test_blocks_of_numbers_become_floats(tmp_path, cell, number):
    (tmp_path / "t.jsonl").write_text(json.dumps({"a": cell}))
    found = read_columns(tmp_path / "t.jsonl", ["a"], numbers=["a"])["a"]
    assert (found.dtype, found.tolist()) == ("float64", [number])


@pytest.mark.parametrize("cell", [True, None, "", "1_000", "\u0661", "nan", 10**400, [1], {"a": 1}])
def test_what_is_no_number_stays_as_it_is(tmp_path, cell):
    (tmp_path / "t.jsonl").write_text(json.dumps({"a": cell}))
    found = read_columns(tmp_path / "t.jsonl", ["a"], numbers=["a"])["a"]
    assert (found.dtype, found.tolist()) == (object, [cell])


def test_each_text_of_a_csv_file_is_in_memory_once(file):
    path = file("t.csv", "a,b\n" + "user,item\n" * 1000)
    found = read_columns(path, ["a", "b"])
    assert found["a"].cat.categories.tolist() == ["user"]
    assert found.memory_usage(index=False).sum() < 20_000


def test_a_kind_goes_before_the_name_of_the_file(file):
    path = file("t.inter", 'a:token\tb\n"1\t2\n')
    assert rows(path, kind="atomic") == [{"a": '"1', "b": "2"}]
    assert read_header(path, "atomic") == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", r"t.csv: the file is empty; the first line must name the columns"),
        ("t.csv", "a,b\n1,2\n1\n", r"t.csv line 3: 1 cell, but the header has 2"),
        ("t.csv", "a,b\n1,2,\n", r"t.csv line 2: 3 cells, but the header has 2"),
        ("t.csv", "a,b,a\n", r"t.csv: two columns are called 'a'; rename one"),
        ("t.csv", 'a,b\n1,2\n3,"4\n5,6\n', r"t.csv line 3: a quote is not closed"),
        ("t.csv", 'a,b\n1,"2"3\n', r"t.csv line 2: text after a closing quote"),
        ("t.csv", "a,b\n1,2\n3\r3,4\n", r"t.csv line 3: a carriage return outside quotes"),
        ("t.csv", 'a\n"' + "1\n" * 99999, r"t.csv line 2: a cell of more than 131072 char"),
        ("t.csv", b"a,b\n1,2\n\xff,3\n", r"t.csv line 3: not UTF-8; save it as UTF-8"),
        ("t.csv", "c,b\n", r"t.csv: no column a; needed are a \(found c, b\)"),
        ("t.tsv", "a,b\n", r"others with tabs"),
        ("t.csv.gz", gzip.compress(b"a,b\n" * 999, mtime=0)[:-9], r"cannot be read .Compressed"),
        ("t.jsonl", '{"a": 1}\n[]\n', r"t.jsonl line 2: not a JSON object"),
        ("t.jsonl", "{}\n" + "[" * 99999, r"t.jsonl line 2: not a JSON object: nested too deeply"),
        ("t.parquet", "PAR1", r"t.parquet: cannot be read as parquet: "),
        ("t.xlsx", "a", r"t.xlsx: not a table; its name must end with one of .csv, .csv.gz, "),
    ],
)
def test_errors_name_file_and_line(file, name, content, message):
    path = file(name, content)
    with pytest.raises(UserError, match=message):
        list(read_rows(path, ["a"]))
    with pytest.raises(UserError, match=message):
        read_columns(path, ["a"])


def test_bad_rows_can_be_collected_instead(file):
    found = []

    def collect(place, count, error):
        found.append((place, count, str(error)))

    path = file("t.csv", 'a,b\n1,2\n3\n"4\n4",5,6\n7,8\n')
    assert rows(path, on_bad=collect) == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    assert found == [
        (3, 1, "1 cell, but the header has 2"),
        (4, 2, "3 cells, but the header has 2"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_what_the_csv_module_wrote_comes_back(file, seed):
    generator = random.Random(seed)
    table = [
        ["".join(generator.choices('ab ,"\n\té', k=generator.randrange(1, 6))) for _ in "abc"]
        for _ in range(50)
    ]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([["a", "b", "c"], *table])
    found = rows(file("t.csv", stream.getvalue()))
    assert [list(row.values()) for row in found] == table
