"""Feature tables and keywords on disk."""

import json

import numpy as np
import pytest
import torch
from toys import save_table, toy_table

from msm4sr_lite.config import UserError
from msm4sr_lite.features import table_files
from msm4sr_lite.features.table_files import (
    FILES,
    load_feature_table,
    read_dictionary_file,
    read_keyword_folder,
    read_keywords,
    read_skipped,
    save_feature_table,
)
from msm4sr_lite.store.checksums import write_checksums


def test_a_table_is_written_and_loaded_without_pickle(tmp_path):
    table = toy_table(text=[2, 0, 3], image=[0, 0, 0])
    save_table(table, tmp_path / "features")
    back = load_feature_table(tmp_path / "features")
    assert back.items == table.items
    assert torch.equal(back.text.vectors, table.text.vectors)
    assert back.image.gather(torch.tensor([1, 2]))[1].sum() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["features"]


def damage_ids(folder, ids):
    (folder / "items.json").write_text(json.dumps(ids), encoding="utf-8")


def damage_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


def damage_array(folder, name, change):
    np.save(folder / name, change(np.load(folder / name)))


def first_value(array, value):
    array.flat[0] = value
    return array


def save_counts(folder, *counts):
    np.save(folder / "text_counts.npy", np.array(counts, np.int32))


DAMAGES = {
    "pickle": (lambda f: np.save(f / "text.npy", np.array([{}]), allow_pickle=True), "pickle|obj"),
    "one dimension": (lambda f: damage_array(f, "text.npy", np.ravel), "not a table of float16"),
    "a number": (lambda f: np.save(f / "text.npy", np.float16(1)), "not a table of float16"),
    "another type": (lambda f: damage_array(f, "image.npy", np.float32), "of width 11"),
    "another width": (lambda f: damage_array(f, "text.npy", lambda a: a[:, 1:]), "of width 11"),
    "a row less": (lambda f: damage_array(f, "text.npy", lambda a: a[1:]), "does not fit text_c"),
    "NaN": (lambda f: damage_array(f, "text.npy", lambda a: first_value(a, np.nan)), "not finite"),
    "infinite": (
        lambda f: damage_array(f, "image.npy", lambda a: first_value(a, -np.inf)),
        "image.npy has values that are not finite",
    ),
    "negative counts": (lambda f: save_counts(f, 0, -1, 4), "text_counts.npy does not fit items"),
    "counts of padding": (lambda f: save_counts(f, 1, 1, 1), "text_counts.npy does not fit items"),
    "fractions": (lambda f: damage_array(f, "text_counts.npy", np.float64), "does not fit items"),
    "cut off": (lambda f: (f / "text.npy").write_bytes((f / "text.npy").read_bytes()[:-3]), ""),
    "an item less": (lambda f: damage_ids(f, ["i1"]), "text_counts.npy does not fit items.json"),
    "an item twice": (lambda f: damage_ids(f, ["i1", "i1"]), "an item id occurs twice"),
    "numbers as ids": (lambda f: damage_ids(f, [1, 2]), "0: Input should be a valid string"),
    "no items": (lambda f: damage_ids(f, []), "at least 1 item"),
    "null": (lambda f: damage_ids(f, None), "valid array"),
    "a width as text": (lambda f: damage_manifest(f, width="11"), "width: "),
    "another format": (lambda f: damage_manifest(f, format=4), "format: Input should be 3"),
    "a list": (lambda f: (f / "manifest.json").write_text("[]"), "should be an object"),
    "sources": (lambda f: (f / "sources.json").write_text('{"i1": ["a"]}'), r"i1\.1: "),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("careful", [False, True])
def test_a_damaged_table_is_refused(name, careful, tmp_path):
    """By its checksums; if somebody has corrected these, by its content."""
    damage, reason = DAMAGES[name]
    folder = tmp_path / "features"
    save_table(toy_table([1, 2], [1, 1]), folder)
    damage(folder)
    if careful:
        write_checksums(folder)
    else:
        reason = r"has changed since it was written \(SHA-256\)"
    with pytest.raises(
        UserError, match=rf"features.*({reason}).*; .*compute the features"
    ) as error:
        load_feature_table(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*FILES, "SHA256SUMS"])
def test_a_table_without_one_of_its_files_is_refused(name, tmp_path):
    folder = tmp_path / "features"
    save_table(toy_table([1, 2], [1, 1]), folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: .*no such file.*compute the features again"):
        load_feature_table(folder)
    (folder / name).mkdir()
    with pytest.raises(UserError, match=rf"{name}: .*not a file"):
        load_feature_table(folder)
    with pytest.raises(UserError, match="no such folder"):
        load_feature_table(tmp_path / "nowhere")


def test_embeddings_that_are_not_finite_are_not_written(tmp_path):
    table = toy_table([1], [1])
    table.image.vectors[0, 0] = torch.inf
    with pytest.raises(UserError, match="image encoder gives embeddings that are not finite"):
        save_table(table, tmp_path / "features")
    assert list(tmp_path.iterdir()) == []


def test_keywords_are_read_per_item_and_image(tmp_path):
    lines = [{"item_id": "a", "keywords": ["x"]}, {"item_id": "a", "keywords": ["y"]}]
    (tmp_path / "keywords.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert read_keywords(tmp_path) == {"a": [["x"], ["y"]]}
    with pytest.raises(UserError, match="compute the keywords first"):
        read_keywords(tmp_path / "nowhere")
    for text in ("{", "[]", '{"item_id": "a"}', '{"item_id": "a", "keywords": [1]}'):
        (tmp_path / "keywords.jsonl").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="compute the keywords first"):
            read_keywords(tmp_path)


def test_a_table_in_memory_is_saved_with_its_keywords(tmp_path):
    table = toy_table(text=[2, 0, 3], image=[1, 1, 0], items=["a", "b", "c"]).for_items(
        ["", "c", "b"]
    )
    table.manifest["width"] = table.width
    keywords = {"b": [["red", "mug"]], "gone": [["x"]]}
    save_feature_table(tmp_path / "features", table, keywords, ["red", "mug", "blue"])
    back = load_feature_table(tmp_path / "features")
    assert back.items == ["", "c", "b"]
    rows = torch.tensor([1, 2])
    for name in ("text", "image"):
        for saved, given in zip(
            getattr(back, name).gather(rows), getattr(table, name).gather(rows), strict=True
        ):
            assert torch.equal(saved[:, : given.shape[1]], given[:, : saved.shape[1]])
    assert read_keywords(tmp_path / "features") == {"b": [["red", "mug"]]}
    assert read_dictionary_file(tmp_path / "features") == ["red", "mug", "blue"]
    assert read_dictionary_file(tmp_path) == []


def test_embeddings_are_checked_to_the_last_block(tmp_path, monkeypatch):
    folder = tmp_path / "features"
    save_table(toy_table([2, 3], [1, 1]), folder)
    embeddings = np.load(folder / "text.npy")
    embeddings[-1, -1] = np.nan
    np.save(folder / "text.npy", embeddings)
    write_checksums(folder)
    monkeypatch.setattr(table_files, "BLOCK", 2)
    with pytest.raises(UserError, match=r"text.npy has values that are not finite"):
        load_feature_table(folder)


def test_skipped_images_are_read_line_by_line(tmp_path):
    line = '{"item_id": "a", "image": "x\u2028y.png", "reason": "no image"}\n'
    (tmp_path / "skipped.jsonl").write_text(line * 2, encoding="utf-8")
    assert read_skipped(tmp_path) == {"a"}
    for content in (b"{", b"[]", b'{"item_id": 1}', b"\x1f\x8b", b"{}"):
        (tmp_path / "skipped.jsonl").write_bytes(content)
        with pytest.raises(UserError, match=r"skipped.jsonl: cannot be read .*; delete") as error:
            read_skipped(tmp_path)
        assert "\n" not in str(error.value)


def test_a_damaged_dictionary_of_keywords_is_named(tmp_path):
    texts = {"record.json": "{}", "keywords.jsonl": "", "skipped.jsonl": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "dictionary.txt").write_bytes(b"\x1f\x8b")
    write_checksums(tmp_path)
    with pytest.raises(UserError, match=r"dictionary.txt: cannot be read"):
        read_keyword_folder(tmp_path)
