"""RecBole atomic files become datasets."""

from hypothesis import given, settings
from hypothesis import strategies as st
from published_files import write

from msm4sr_lite.dataset.convert import convert_dataset
from msm4sr_lite.dataset.dataset import Dataset


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


def cells(least):
    """Cells of a table separated by tabs: stripped, of printable characters."""
    letters = st.characters(exclude_categories=["C", "Z"])
    return st.text(letters | st.just(" "), min_size=least, max_size=8).map(str.strip)


IDS = cells(1).filter(bool)


@settings(max_examples=25, deadline=None)
@given(
    items=st.dictionaries(IDS, cells(1).filter(bool), min_size=1, max_size=5),
    interactions=st.lists(
        # No times that are read as dates, such as 20231114, and none that run backwards.
        st.tuples(IDS, st.integers(0, 4), st.integers(22 * 10**6, 10**11 - 1)),
        min_size=1,
        max_size=12,
    ).map(lambda rows: sorted(rows, key=lambda row: row[2])),
)
def test_recbole_round_trip(tmp_path_factory, items, interactions):
    folder = tmp_path_factory.mktemp("recbole")
    ids = list(items)
    rows = [(user, ids[item % len(ids)], time) for user, item, time in interactions]
    write(
        folder,
        a__inter="user_id:token\titem_id:token\ttimestamp:float\n"
        + "".join(f"{user}\t{item}\t{time}\n" for user, item, time in rows),
        a__item="item_id:token\ttitle:token_seq\n"
        + "".join(f"{item}\t{title}\n" for item, title in items.items()),
    )
    convert_dataset(folder, folder / "dataset")
    dataset = Dataset.from_folder(folder / "dataset")
    assert {item.item_id: item.title for item in dataset.items.values()} == items
    expected = sorted(rows, key=lambda row: row[2])
    assert list(dataset.interactions.itertuples(index=False, name=None)) == expected


def test_another_separator_is_named(tmp_path, refused):
    (tmp_path / "x.inter").write_text("user_id:token,item_id:token,timestamp:float\nu,a,1\n")
    (tmp_path / "x.item").write_text("item_id:token\na\n")
    assert (
        "the separator seems to be ','; save .csv files with commas, others with tabs"
        in refused(tmp_path)
    )
