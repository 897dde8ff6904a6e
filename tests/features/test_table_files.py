"""Feature tables and keywords on disk."""

import json

import numpy as np
import pytest
import torch
from toys import save_table, toy_table

from msm4sr_lite.config import UserError
from msm4sr_lite.features.table_files import (
    load_feature_table,
    read_dictionary_file,
    read_keywords,
    save_feature_table,
)


def test_a_table_is_written_and_loaded_without_pickle(tmp_path):
    table = toy_table(text=[2, 0, 3], image=[0, 0, 0])
    save_table(table, tmp_path / "features")
    back = load_feature_table(tmp_path / "features")
    assert back.items == table.items
    assert torch.equal(back.text.vectors, table.text.vectors)
    assert back.image.gather(torch.tensor([1, 2]))[1].sum() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["features"]
    np.save(tmp_path / "features/text.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(UserError, match="not a feature table"):
        load_feature_table(tmp_path / "features")


def test_a_table_that_does_not_fit_its_items_is_refused(tmp_path):
    save_table(toy_table([1, 2], [1, 1]), tmp_path / "features")
    (tmp_path / "features/items.json").write_text('["i1"]', encoding="utf-8")
    with pytest.raises(UserError, match=r"text.npy does not fit items.json"):
        load_feature_table(tmp_path / "features")
    with pytest.raises(UserError, match="compute the features again"):
        load_feature_table(tmp_path)


def test_a_table_of_another_format_is_refused(tmp_path):
    save_table(toy_table([1], [1]), tmp_path / "features")
    path = tmp_path / "features/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}), encoding="utf-8")
    with pytest.raises(UserError, match="format 3, but this version of the library reads 2"):
        load_feature_table(tmp_path / "features")


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
