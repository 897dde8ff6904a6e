"""``msm4sr keywords``, ``features``, ``pretrain`` and ``finetune``: the stages one by one."""

import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from small_commands import FINETUNE, MODEL, PRETRAIN, QUICK, dataset_with_features, read_log
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


def features_with(data, folder, encoder, msm4sr, *more):
    code, _, err = msm4sr("features", data, "--out", folder, "--text-encoder", encoder, *more)
    assert code == 0, err
    return folder / "features"


@pytest.mark.thorough
def test_the_stages_one_by_one_equal_run(tmp_path, tiny_bert, json_of, msm4sr):
    data, out = toy_dataset(tmp_path / "toys"), tmp_path / "steps"
    whole = ["run", data, "--out", tmp_path / "whole", "--text-encoder", tiny_bert, *QUICK]
    expected = json_of(*whole)
    features_with(data, out, tiny_bert, msm4sr)
    found = json_of("pretrain", data, "--out", out, *MODEL, *PRETRAIN)
    assert (found["stage"], found["folder"]) == ("pretrain", str(out / "pretrained"))
    assert found["training"]["epochs"] == 2
    assert msm4sr("finetune", data, "--out", out, *FINETUNE)[0] == 0
    assert json_of("evaluate", data, "--model", out, "--part", "test") == expected


def test_ready_features_are_used_if_they_fit(tmp_path, msm4sr, refused):
    data, out = dataset_with_features(tmp_path / "toys"), tmp_path / "out"
    command = ["pretrain", data, "--out", out, *MODEL, *PRETRAIN]
    code, _, err = msm4sr(*command)
    assert code == 0
    assert f"features: those in {data / 'features'}" in err
    assert not (out / "features").exists()
    with (data / "items.jsonl").open("a") as stream:
        stream.write('{"item_id": "n1", "title": "New"}\n')
    message = "features does not fit toys: an item is missing"
    assert message in refused(*command, "--features", data / "features")


def test_fine_tuning_needs_a_pre_trained_model(tmp_path, refused):
    data = dataset_with_features(tmp_path / "toys")
    features = ["--features", data / "features"]
    message = "nothing to fine-tune"
    assert message in refused("finetune", data, "--out", tmp_path / "out", *features)


@pytest.mark.thorough
def test_fine_tuning_on_other_features_is_made_again(tmp_path, tiny_bert, msm4sr):
    data, out = toy_dataset(tmp_path / "toys"), tmp_path / "out"
    first = features_with(data, out, tiny_bert, msm4sr)
    assert msm4sr("pretrain", data, "--out", out, *MODEL, *PRETRAIN)[0] == 0
    titles = data / "items.jsonl"
    titles.write_text(titles.read_text().replace("Thing 1", "Another thing"))
    second = features_with(data, tmp_path / "other", tiny_bert, msm4sr)
    command = ["finetune", data, "--out", out, *FINETUNE, "--features"]
    msm4sr(*command, first)
    for features, message in ((first, "done already"), (second, "the input or a setting has cha")):
        code, _, err = msm4sr(*command, features)
        assert code == 0
        assert f"finetuned: {message}" in err


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["weights", "pooling"])
def test_features_of_another_text_encoder_are_refused(what, tmp_path, tiny_bert, msm4sr, refused):
    """They can be as wide as the model's, so nothing else would notice."""
    data, out, other = toy_dataset(tmp_path / "toys"), tmp_path / "out", tmp_path / "other"
    features_with(data, out, tiny_bert, msm4sr)
    msm4sr("pretrain", data, "--out", out, *MODEL, *PRETRAIN)
    msm4sr("finetune", data, "--out", out, *FINETUNE)
    encoder, more = tiny_bert, ["--set", "features.pooling=cls"]
    if what == "weights":
        encoder, more = tmp_path / "bert", []
        shutil.copytree(tiny_bert, encoder)
        model = load_file(f"{tiny_bert}/model.safetensors")
        model["embeddings.word_embeddings.weight"] += 1
        save_file(model, encoder / "model.safetensors", metadata={"format": "pt"})
    features = features_with(data, other, encoder, msm4sr, *more)
    for command in (
        ["evaluate", data, "--model", out],
        ["recommend", data, "--model", out, "--items", "i1,i2"],
        ["finetune", data, "--out", out],
    ):
        message = f"trained on features of a text encoder with other {what} ("
        assert message in refused(*command, "--features", features)
        if command[0] != "finetune":
            assert msm4sr(*command)[0] == 0


def test_the_log_has_the_parts_of_the_loss(tmp_path, msm4sr):
    data, out = dataset_with_features(tmp_path / "toys"), tmp_path / "out"
    command = ["pretrain", data, "--out", out, "--features", data / "features", *MODEL]
    assert msm4sr(*command, "--set", "pretrain.epochs=3")[0] == 0
    lines = read_log(out)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert set(line["parts"]) == {"nip_text", "nip_image", "cmcl"}
        total = line["parts"]["nip_text"] + line["parts"]["nip_image"]
        assert line["loss"] == pytest.approx(total + 0.01 * line["parts"]["cmcl"], abs=1e-4)
        assert line["targets"] == 60 * 3


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path, refused):
    data = dataset_with_features(tmp_path / "toys")
    (tmp_path / "out").write_text("a file where the run folder should be")
    command = ["pretrain", data, "--out", tmp_path / "out", "--features", data / "features"]
    assert "out: " in refused(*command, *MODEL, *PRETRAIN)
