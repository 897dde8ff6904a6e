"""Model folders are written whole, read back equal, and found in run folders."""

import json

import pytest
import torch
from safetensors.torch import load_file, save
from scipy import sparse
from toys import assert_same_weights

from msm4sr_lite.baselines import SASRec
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.checkpoints import (
    FILES,
    find_model_folder,
    load_checkpoint,
    read_pairs,
    save_checkpoint,
    write_pairs,
)
from msm4sr_lite.store.checksums import write_checksums

ITEMS = ["", "a", "b", "ü"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=6, dim=4, ffn_dim=4, pooling_dim=3, n_items=3))


def test_a_model_is_read_back_equal(model, tmp_path, capsys):
    save_checkpoint(model, tmp_path / "model", ITEMS, {"seed": 3})
    loaded, items = load_checkpoint(tmp_path / "model")
    assert items == ITEMS
    assert not loaded.training
    assert_same_weights(model, loaded)
    assert capsys.readouterr().out == ""  # it would spoil --json
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {*FILES, "SHA256SUMS"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["removed", "damaged"])
def test_a_damaged_folder_is_one_line(name, damage, model, tmp_path):
    save_checkpoint(model, tmp_path / "model", ITEMS, {})
    path = tmp_path / "model" / name
    path.unlink() if damage == "removed" else path.write_bytes(b"{")
    with pytest.raises(
        UserError, match=rf"model/{name}: (no such file|has changed since it was written .*); "
    ) as error:
        load_checkpoint(tmp_path / "model")
    assert "\n" not in str(error.value)


def test_the_best_model_of_a_run_folder_is_found(model, tmp_path):
    with pytest.raises(UserError, match="no trained model in this folder"):
        find_model_folder(tmp_path)
    for stage in ("pretrained", "finetuned"):
        save_checkpoint(model, tmp_path / stage, ITEMS, {})
        assert find_model_folder(tmp_path) == tmp_path / stage
    assert find_model_folder(tmp_path / "pretrained") == tmp_path / "pretrained"


def reseal(folder, change):
    """Change the tensors of a model, and correct the checksums like a careful forger."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    path.write_bytes(save(tensors))
    write_checksums(folder)


NAME = "transformer.position.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict.clear, "lacks the tensor"),
        (lambda t: t.pop(NAME), f"lacks the tensor '{NAME}'"),
        (lambda t: t.update(other=torch.ones(1)), "has an unknown tensor 'other'"),
        (lambda t: t.update({NAME: t[NAME][1:].clone()}), f"{NAME} is torch.float32"),
        (lambda t: t.update({NAME: t[NAME].half()}), f"{NAME} is torch.float16"),
        (lambda t: t[NAME].fill_(torch.nan), f"{NAME} has values that are not finite"),
        (lambda t: t[NAME].fill_(torch.inf), f"{NAME} has values that are not finite"),
    ],
)
def test_weights_of_another_form_are_refused(change, reason, model, tmp_path):
    save_checkpoint(model, tmp_path / "model", ITEMS, {})
    reseal(tmp_path / "model", change)
    with pytest.raises(UserError, match=rf"model.safetensors: .*{reason}"):
        load_checkpoint(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("config.json", "null", "Input should be an object"),
        ("config.json", "{}", "has no setting"),
        ("config.json", {"dim": "4"}, "dim must be an integer"),
        ("config.json", {"dim": 5}, "dim must be a multiple of heads"),
        ("config.json", {"more": 1}, "has an unknown setting 'more'"),
        ("config.json", {"max_len": 51}, "transformer.position.weight is torch.float32"),
        ("items.json", '["a", "b"]', "lists fewer ids than the model has"),
        ("items.json", '["a", "b", "b"]', "an item id occurs twice"),
        ("items.json", "[1, 2, 3]", "0: Input should be a valid string"),
        ("record.json", '{"format": 99}', "format 99, but this version of msm4sr_lite reads"),
        ("record.json", "[]", "Input should be an object"),
    ],
)
def test_files_that_do_not_fit_are_refused(name, text, reason, model, tmp_path):
    folder = tmp_path / "model"
    save_checkpoint(model, folder, ITEMS, {})
    if isinstance(text, dict):
        text = json.dumps(json.loads((folder / name).read_text()) | text)
    (folder / name).write_text(text)
    write_checksums(folder)
    with pytest.raises(UserError, match=reason) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


def test_a_model_of_nan_is_not_saved(model, tmp_path):
    model.ids.weight.data[1, 0] = torch.nan
    with pytest.raises(UserError, match=r"the model was not saved: ids.weight has values"):
        save_checkpoint(model, tmp_path / "model", ITEMS, {})
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_replacement_was_interrupted_is_found_again(model, tmp_path):
    save_checkpoint(model, tmp_path / "pretrained", ITEMS, {})
    (tmp_path / "pretrained").rename(tmp_path / ".pretrained.99999999.old")
    assert find_model_folder(tmp_path) == tmp_path / "pretrained"
    (tmp_path / "pretrained").rename(tmp_path / ".pretrained.99999999.old")
    load_checkpoint(tmp_path / "pretrained")


def test_the_hub_loads_all_weights_or_none(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert_same_weights(M2SE.from_pretrained(tmp_path), model)
    reseal(tmp_path, lambda tensors: tensors.pop(NAME))
    with pytest.raises(RuntimeError, match="Missing key"):
        M2SE.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["missing", "x" * 300, "a\0b"])
def test_what_is_no_folder_is_one_line(name, tmp_path):
    for load in (find_model_folder, load_checkpoint):
        with pytest.raises(UserError, match="give the folder of a"):
            load(tmp_path / name)


def test_a_model_of_another_class_needs_its_class(tmp_path):
    model = SASRec(ModelConfig(feature_dim=6, dim=4, ffn_dim=4, pooling_dim=3, n_items=3))
    save_checkpoint(model, tmp_path / "model", ITEMS, {})
    loaded, _ = load_checkpoint(tmp_path / "model", SASRec)
    assert loaded.modalities == ("id",)
    assert_same_weights(model, loaded)
    with pytest.raises(UserError, match="lacks the tensor"):
        load_checkpoint(tmp_path / "model")


@pytest.mark.parametrize("rows", [[[0, 0], [0, 0]], [[0, 0, 0], [0, 0.1, 2], [3, 0, 0]]])
def test_a_matrix_of_pairs_is_read_back_equal(rows, tmp_path):
    pairs = sparse.csr_array(rows, dtype=float)
    write_pairs(tmp_path / "pairs.safetensors", pairs, 0.9)
    found, decay = read_pairs(tmp_path / "pairs.safetensors", len(rows))
    assert (found.toarray() == pairs.toarray()).all()
    assert decay == 0.9
    with pytest.raises(UserError, match="not a matrix of pairs of these items"):
        read_pairs(tmp_path / "pairs.safetensors", len(rows) - 1)
