"""Settings that contradict themselves, and writing whole or not at all."""

import dataclasses
from pathlib import Path

import pytest

from msm4sr_lite.config import (
    PRESETS,
    Config,
    PretrainConfig,
    TrainConfig,
    UserError,
)
from msm4sr_lite.store.files import whole_folder, write_json, write_text


def test_every_setting_has_a_meaning_and_a_source():
    for part in dataclasses.fields(Config):
        for field in dataclasses.fields(getattr(Config(), part.name)):
            assert field.metadata["meaning"], field.name
            assert field.metadata["source"] in {"abstract", "notes", "code", "ours"}, field.name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive; got 0.0"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ],
)
def test_impossible_training_settings(wrong, message):
    with pytest.raises(UserError, match=message):
        TrainConfig(**wrong)


def test_the_last_item_is_protected_only_where_rows_are_prefixes():
    with pytest.raises(UserError, match=r"drop_keeps=last needs rows=prefix"):
        PretrainConfig(drop_keeps="last")
    assert PRESETS["authors"].pretrain.drop_keeps == "last"


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().model.dim = 3


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "a.json"
    write_json(target, {"ä": 1})
    assert target.read_bytes() == '{\n  "ä": 1\n}\n'.encode()

    def fail(self, other):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(target, "new")
    assert target.read_bytes().startswith(b"{")
    assert [p.name for p in target.parent.iterdir()] == ["a.json"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_folder(target) as draft:
        (draft / "x").write_text("half" + "way" * (1 // 0))
    assert (target / "x").read_text() == "old"
    with whole_folder(target) as draft:
        (draft / "y").write_text("new")
    assert [p.name for p in target.iterdir()] == ["y"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_old_folder_comes_back_if_the_last_step_fails(tmp_path, monkeypatch):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    rename = Path.rename

    def fail(self, other):
        if self.name.endswith(".draft"):
            raise OSError("held open by another program")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="held open"), whole_folder(target) as draft:
        (draft / "x").write_text("new")
    assert (target / "x").read_text() == "old"
