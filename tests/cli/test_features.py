"""``msm4sr keywords`` and ``msm4sr features``: the stages, and looking at a feature table."""

import shutil

import numpy as np
import pytest
from toys import toy_dataset


@pytest.fixture
def made(tmp_path, tiny_bert, msm4sr):
    """A dataset without images, and a run folder with its features."""
    data = toy_dataset(tmp_path / "toys")
    command = ["features", data, "--out", tmp_path / "run", "--text-encoder", tiny_bert]
    assert msm4sr(*command)[0] == 0
    return command


def test_texts_need_no_keywords(made, json_of, tmp_path):
    assert not (tmp_path / "run/keywords").exists()
    found = json_of(*made)
    assert (found["stage"], found["folder"]) == ("features", str(tmp_path / "run/features"))
    assert found["width"] == 20


def test_without_images_the_stage_keywords_has_nothing_to_do(made, json_of, tmp_path):
    found = json_of("keywords", made[1], "--out", tmp_path / "run")
    assert (found["stage"], found["images"], found["skipped"]) == ("keywords", 0, 0)


def test_check_compares_with_new_embeddings(made, json_of, msm4sr, refused, tmp_path):
    assert json_of(*made, "--check")["text"] == {"n_embeddings": 12, "largest_difference": 0.0}
    assert "text          n_embeddings 12, largest_difference 0" in msm4sr(*made, "--check")[1]
    embeddings = np.load(tmp_path / "run/features/text.npy")
    np.save(tmp_path / "run/features/text.npy", embeddings + np.float16(0.5))
    assert "text embeddings differ by" in refused(*made, "--check")


def test_report_describes_the_table(made, json_of, msm4sr):
    found = json_of(*made, "--report")
    assert (found["n_items"], found["width"], found["text"]["n_slots"]) == (12, 20, 12)
    out = msm4sr(*made, "--report")[1]
    assert "n_items       12\n" in out
    assert "mean_cosine" in out.splitlines()[-2]
    assert "mean_cosine" not in out.splitlines()[-1]  # no image, so no pair of images


def test_a_feature_folder_can_be_named_itself(made, json_of, tmp_path):
    folder = tmp_path / "run/features"
    assert json_of("features", made[1], "--out", folder, "--report")["folder"] == str(folder)


def test_mistakes_are_one_line(made, refused, tmp_path):
    assert "not allowed with argument --check" in refused(*made, "--check", "--report")
    nowhere = ["features", made[1], "--out", tmp_path / "nowhere"]
    assert "not a feature table" in refused(*nowhere, "--report")
    assert "workers must be at least 1; got 0" in refused(
        "keywords", made[1], "--out", tmp_path / "x", "--workers", "0"
    )
    assert not (tmp_path / "x").exists()
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").write_text("a file where the run folder should be")
    assert "run" in refused(*made)
