"""``msm4sr doctor``: what is installed, what is missing, and what encoders do."""

import json
import os
import re
import shutil
from importlib import metadata

import pytest

from msm4sr_lite.cli import doctor
from msm4sr_lite.config import UserError

REQUIRES = [
    "torch>=2.9",
    'msm4sr-lite[notebooks]; extra == "course"',
    'no-such-package>=4.4; extra == "course"',
    'nothing-like-it; extra == "dev"',
]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Let the library be installed without the repository, and lack packages of the extras."""
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(doctor, "CHECKOUT", tmp_path)
    return tmp_path


def test_it_lists_versions_and_problems(msm4sr):
    found = json.loads(msm4sr("doctor", "--json")[1])
    assert found["torch"].startswith("2.")
    assert isinstance(found["problems"], list)
    out = msm4sr("doctor")[1]
    assert re.search(rf"^ *torch  {re.escape(found['torch'])}$", out, re.MULTILINE)
    assert out.splitlines()[-1] in ("ready for: course", "not ready yet for: course")


def test_an_installed_library_is_ready_without_the_course(installed, msm4sr):
    code, out, _ = msm4sr("doctor")
    assert (code, out.splitlines()[-1]) == (0, "ready for: library")
    assert "no-such-package" not in out
    code, out, _ = msm4sr("doctor", "--for", "course")
    assert (code, out.splitlines()[-1]) == (1, "not ready yet for: course")
    assert 'no-such-package is missing: run `python -m pip install "no-such-package>=4.4"`' in out
    assert "run.py" not in out  # which is not there
    assert "the notebooks are not here" in out
    assert "nothing-like-it" not in out
    assert "nothing-like-it is missing" in msm4sr("doctor", "--for", "development")[1]


def test_in_the_repository_the_setup_is_the_remedy(installed, msm4sr):
    (installed / "run.py").touch()
    code, out, _ = msm4sr("doctor")
    assert code == 1
    assert "problem  no-such-package is missing: run `python run.py setup`" in out
    assert "run `python run.py setup --dev`" in msm4sr("doctor", "--for", "development")[1]
    assert msm4sr("doctor", "--for", "library")[0] == 0


def test_a_source_that_is_not_installed_says_so(monkeypatch, msm4sr):
    def missing(name):
        raise metadata.PackageNotFoundError

    for function in ("requires", "version"):
        monkeypatch.setattr(metadata, function, missing)
    code, out, _ = msm4sr("doctor", "--for", "library")
    assert code == 1
    assert "problem  msm4sr_lite is missing: run `python run.py setup`" in out


def test_every_requirement_of_an_extra_is_looked_for():
    names = {purpose: set(doctor.needed(extras)) for purpose, extras in doctor.EXTRAS.items()}
    assert {"torch", "numpy"} < names["library"] < names["course"] < names["development"]
    assert {"jupyterlab", "umap-learn", "seaborn"} <= names["course"] - names["library"]
    assert {"pytest", "pyarrow"} <= names["development"] - names["course"]


@pytest.mark.parametrize("place", ["made/later", "file", "file/below"])
def test_a_hub_cache_that_cannot_be_written_is_named(place, monkeypatch, tmp_path, msm4sr):
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / place))
    told = "(cannot be written: set HF_HOME for downloads)" in msm4sr("doctor")[1]
    assert told == place.startswith("file")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "(cannot be written: set HF_HOME for downloads)" in msm4sr("doctor")[1]


def test_encoders_are_tried(tiny_bert, mini_clip, msm4sr):
    code, out, _ = msm4sr("doctor", "--text-encoder", tiny_bert, "--clip", mini_clip, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["text encoder"] == f"{tiny_bert}, loaded from {tiny_bert}"
    assert found["pooling"] == "mean; width 20; up to 512 tokens"
    assert found["texts are read as"] == "{}, at most 512 tokens"
    cosines = re.findall(r"' (-?\d\.\d\d)", found["cosines"])
    assert len(cosines) == 2
    assert all(-1 <= float(cosine) <= 1 for cosine in cosines)
    for colour in ("red", "blue"):
        assert f"{colour} 0." in found[f"a {colour} image"]


def test_the_default_encoder_is_not_looked_for_if_another_is_tried(tiny_bert, monkeypatch, msm4sr):
    monkeypatch.setattr(doctor, "model_folder", pytest.fail)
    assert f"loaded from {tiny_bert}" in msm4sr("doctor", "--text-encoder", tiny_bert)[1]


def test_a_closing_normalize_is_noted(tiny_bert, msm4sr, tmp_path):
    assert "note" not in json.loads(msm4sr("doctor", "--text-encoder", tiny_bert, "--json")[1])
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    named = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": p} for kind, p in named]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}')
    out = msm4sr("doctor", "--text-encoder", folder)[1]
    assert "note  by its name, the default encoder is read without the Normalize" in out


def test_what_cannot_be_used_is_refused_as_elsewhere(tiny_bert, msm4sr, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.CLIPModel"}]')
    for words, message in (
        (["--text-encoder", folder], "begins with CLIPModel, not Transformer"),
        (["--clip", tiny_bert], "which does not compare images with text"),
        (["--clip="], "the name of a model is empty"),
        (["--text-encoder="], "the name of a model is empty"),
    ):
        code, out, err = msm4sr("doctor", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_the_default_encoder_is_looked_for_without_a_download(monkeypatch, msm4sr):
    asked = []

    def missing(name, download=True):
        asked.append(download)
        raise UserError("not here")

    monkeypatch.setattr("msm4sr_lite.cli.doctor.model_folder", missing)
    assert "text encoder  not on this machine" in msm4sr("doctor", "--for", "library")[1]
    assert asked == [False]
