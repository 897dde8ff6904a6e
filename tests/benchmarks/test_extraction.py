"""The dataset on which both versions extract features."""

import json

from benchmarks.extraction_against_version_1 import keywords_of, write_dataset
from msm4sr_lite import Dataset


def test_the_dataset_has_photos_and_titles(tmp_path):
    data = Dataset.from_folder(write_dataset(tmp_path / "data", n_images=2, n_items=5))
    assert len(data.items) == 5
    assert all(item.title for item in data.items.values())
    photos = [name for item in data.items.values() for name in item.images]
    assert len(photos) == 2
    assert all((tmp_path / "data" / name).stat().st_size > 1000 for name in photos)
    assert data.notes == []


def test_keywords_are_compared_under_both_names(tmp_path):
    (tmp_path / "keywords").mkdir()
    lines = [{"item_id": "i0", "words": ["red"]}, {"item_id": "i1", "keywords": ["blue"]}]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "keywords" / "keywords.jsonl").write_text(text, encoding="utf-8")
    assert keywords_of(tmp_path) == {"i0": ["red"], "i1": ["blue"]}
