"""Features of a fit: given, found beside the dataset, or computed."""

import pytest
from small_dataset import (
    dataset,
    fitted,
    item_frame,
)

from msm4sr_lite import Dataset, UserError
from msm4sr_lite.pipeline import features
from msm4sr_lite.pipeline.features import find_or_compute_features
from tests.small_commands import dataset_with_features


def test_features_that_do_not_fit_the_texts_are_refused():
    items = item_frame()
    items.loc[3, "description"] = "One more sentence."
    with pytest.raises(UserError, match=r"does not fit toys.*text or image has changed"):
        fitted(dataset(items=items))
    with pytest.raises(UserError, match="does not fit toys"):
        fitted(dataset(items=item_frame(31)))


class Computed(Exception):
    """Features would be computed now."""


@pytest.fixture(autouse=True)
def nothing_is_computed(monkeypatch):
    def refuse(data, place, *_, **__):
        raise Computed(str(place))

    monkeypatch.setattr(features, "compute_features", refuse)


def test_features_beside_the_dataset_are_taken_if_they_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(features, "table_fits", lambda *_: True)
    data = Dataset.from_folder(dataset_with_features(tmp_path / "toys"))
    found = find_or_compute_features(data, None, tmp_path / "run")
    assert found.folder == tmp_path / "toys" / "features"
    assert set(found.table.items) == {"", *data.items}
    assert "features: using those in" in capsys.readouterr().err


def test_others_are_computed_where_they_do_not_fit_or_another_encoder_is_asked_for(
    tmp_path, capsys, monkeypatch
):
    folder = dataset_with_features(tmp_path / "toys")
    with (folder / "items.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"item_id": "new", "title": "An item without features"}\n')
    data = Dataset.from_folder(folder)
    with pytest.raises(Computed, match="run"):
        find_or_compute_features(data, None, tmp_path / "run")
    assert "do not fit the dataset" in capsys.readouterr().err
    monkeypatch.setattr(features, "table_fits", lambda *_: True)
    with pytest.raises(Computed, match="run"):
        find_or_compute_features(data, None, tmp_path / "run", clip="some/clip")
    assert capsys.readouterr().err == ""
