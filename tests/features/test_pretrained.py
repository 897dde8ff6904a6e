"""Finding and loading model folders."""

import json
import shutil

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.features.text_encoder import TextEncoder


def test_code_from_a_model_folder_never_runs(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "custom", "auto_map": {"AutoConfig": "custom.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "custom.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(UserError, match="not a model folder that transformers can load"):
        TextEncoder(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_missing_encoder_is_one_line(tmp_path):
    with pytest.raises(
        UserError, match="'nobody/nothing' is neither in the hub cache nor can it be"
    ):
        TextEncoder("nobody/nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: not a model folder that transformers can load"):
        TextEncoder(str(tmp_path / "empty"))
