"""Converting in a test, and expecting a refusal."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert import convert_dataset
from msm4sr_lite.dataset.dataset import Dataset


@pytest.fixture
def converted(tmp_path):
    """Return a function that converts and returns the summary and the dataset."""

    def run(source, **options):
        summary = convert_dataset(source, tmp_path / "dataset", **options)
        return summary, Dataset.from_folder(tmp_path / "dataset")

    return run


@pytest.fixture
def refused(tmp_path):
    """Return a function that expects an error of one line and nothing written."""

    def run(source, out="dataset", **options):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as caught:
            convert_dataset(source, tmp_path / out, **options)
        assert "\n" not in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before
        return str(caught.value)

    return run
