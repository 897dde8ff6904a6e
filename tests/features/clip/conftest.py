"""A folder of labelled images for the tests of the small CLIP."""

import pytest
from toy_images import labelled_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return labelled_folder(tmp_path_factory.mktemp("labelled"))
