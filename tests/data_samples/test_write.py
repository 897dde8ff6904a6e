"""The sample is written byte for byte as committed, and recognised again."""

import json

import numpy as np
import pytest
from PIL import Image

from data_samples.make.__main__ import main
from data_samples.make.drawing import draw, save_png
from data_samples.make.oracle_file import FILE
from data_samples.make.simulation import make_world
from data_samples.make.write import TABLES, image_name, image_seed, load_world, write_sample
from msm4sr_lite.config import UserError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "dataset"
    write_sample(out, images=False)
    return out


def test_the_committed_files_are_what_the_command_writes(sample_dataset, written):
    for name in (*TABLES, "sample.json", "README.md", "LICENSE"):
        committed = (sample_dataset / name).read_bytes().replace(b"\r\n", b"\n")
        assert committed == (written / name).read_bytes(), name


def test_the_committed_images_are_what_the_command_draws(sample_dataset, tmp_path):
    """Pixel by pixel for every third item; all of them take three times as long."""
    world = make_world()
    names = [image_name(item, view) for item in world.items for view in range(item.n_images)]
    assert sorted(names) == sorted(
        f"images/{p.name}" for p in (sample_dataset / "images").iterdir()
    )
    for number, item in list(enumerate(world.items))[::3]:
        for view in range(item.n_images):
            save_png(draw(item.look, view, image_seed(world.seed, number)), tmp_path / "new.png")
            with Image.open(sample_dataset / image_name(item, view)) as old:
                stored = np.asarray(old.convert("RGB"))
            with Image.open(tmp_path / "new.png") as new:
                drawn = np.asarray(new.convert("RGB"))
            assert np.array_equal(stored, drawn), image_name(item, view)


def test_another_seed_gives_other_tables(written, tmp_path):
    write_sample(tmp_path / "other", seed=8, images=False)
    for name in TABLES:
        assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_a_changed_table_has_no_known_oracle(written, tmp_path):
    with pytest.raises(UserError, match=r"sample.json: no such file"):
        load_world(tmp_path)
    for name in (*TABLES, "sample.json"):
        (tmp_path / name).write_bytes((written / name).read_bytes())
    assert load_world(tmp_path).seed == 7
    about = json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))
    (tmp_path / "sample.json").write_text(json.dumps(about | {"version": 99}), encoding="utf-8")
    with pytest.raises(UserError, match="version 99"):
        load_world(tmp_path)
    (tmp_path / "sample.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / TABLES[0]).write_text("user_id,item_id,timestamp\n")
    with pytest.raises(UserError, match="so its oracle is unknown"):
        load_world(tmp_path)


def test_sample_json_names_version_and_seed(sample_dataset):
    about = json.loads((sample_dataset / "sample.json").read_text(encoding="utf-8"))
    assert (about["name"], about["version"], about["seed"]) == ("corner_shop", 1, 7)


def test_the_command_writes_a_sample_and_its_oracle(tmp_path, capsys, monkeypatch):
    out = tmp_path / "dataset"
    monkeypatch.setattr("data_samples.make.write.draw", lambda *_: Image.new("RGB", (2, 2)))
    assert main(["--out", str(out), "--seed", "8"]) == 0
    assert f"written: {out}" in capsys.readouterr().out
    assert load_world(out).seed == 8
    oracle = (out / FILE).read_bytes()
    (out / FILE).unlink()
    assert main(["--oracle", str(out)]) == 0
    assert (out / FILE).read_bytes() == oracle
    assert main(["--out", str(out)]) == 2
    assert "the folder is not empty" in capsys.readouterr().err


def test_the_command_prints_the_table_of_the_data_sheet(sample_dataset, tmp_path, capsys):
    assert main(["--table", str(sample_dataset)]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed in (sample_dataset / "README.md").read_text(encoding="utf-8")
    assert main(["--table", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err
