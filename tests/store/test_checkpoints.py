"""Model folders are written whole, read back equal, and found in run folders."""

import pytest
import torch
from toys import assert_same_weights

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.checkpoints import find_model_folder, load_checkpoint, save_checkpoint

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
    assert names == {"config.json", "items.json", "model.safetensors", "record.json"}


@pytest.mark.parametrize("name", ["config.json", "items.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["removed", "damaged"])
def test_a_damaged_folder_is_one_line(name, damage, model, tmp_path):
    save_checkpoint(model, tmp_path / "model", ITEMS, {})
    path = tmp_path / "model" / name
    path.unlink() if damage == "removed" else path.write_bytes(b"{")
    with pytest.raises(UserError, match=r"model: not a model folder \(") as error:
        load_checkpoint(tmp_path / "model")
    assert "\n" not in str(error.value)


def test_the_best_model_of_a_run_folder_is_found(model, tmp_path):
    with pytest.raises(UserError, match="no trained model in this folder"):
        find_model_folder(tmp_path)
    for stage in ("pretrained", "finetuned"):
        save_checkpoint(model, tmp_path / stage, ITEMS, {})
        assert find_model_folder(tmp_path) == tmp_path / stage
    assert find_model_folder(tmp_path / "pretrained") == tmp_path / "pretrained"
