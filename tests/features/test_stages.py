"""The stages keywords and features survive any stop; a change costs only what depends on it."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toys import toy_dataset

from msm4sr_lite.cli import main
from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.features import stages, table
from msm4sr_lite.features.embedding_cache import EmbeddingCache, open_cache
from msm4sr_lite.features.image_keywords import extract_keywords
from msm4sr_lite.features.keyword_tokenizer import Keyword, KeywordTokenizer
from msm4sr_lite.features.stages import compute_features, compute_keywords, encode_features
from msm4sr_lite.features.table import make_features, slot_sentences
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.records import write_record

N_ITEMS = 40


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_items(folder):
    return read_lines(folder / "items.jsonl")


def write_items(folder, records):
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def dictionary(tmp_path):
    """A file of six words."""
    path = tmp_path / "words.txt"
    path.write_text("red\nblue\nmug\ntent\ncup\nlid\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def run(folder, dictionary, tiny_clip, tiny_bert):
    """Return a function that runs both stages into a run folder and returns what they wrote."""
    models = {"clip": tiny_clip, "text_encoder": tiny_bert, "dictionary": dictionary}

    def run(out, **settings):
        config = FeatureConfig(**{"n_keywords": 3, "pooling": "mean", **settings})
        compute_features(Dataset.from_folder(folder), out, config, **models)
        return files(out)

    return run


def files(out):
    """Return the content of everything that the two stages leave, without the cache."""
    paths = [p for name in ("keywords", "features") for p in (out / name).rglob("*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.fixture
def encoded(monkeypatch):
    """Count what goes through the models."""
    count = Counter()
    encode_images, encode_sentences = KeywordTokenizer.encode, TextEncoder.encode

    def images(self, inputs):
        count["images"] += len(inputs["pixel_values"])
        return encode_images(self, inputs)

    def sentences(self, sentences, *args, **options):
        count["sentences"] += len(sentences)
        return encode_sentences(self, sentences, *args, **options)

    monkeypatch.setattr(KeywordTokenizer, "encode", images)
    monkeypatch.setattr(TextEncoder, "encode", sentences)
    return count


def since(count):
    """Return what was counted and start again."""
    found = (count["images"], count["sentences"])
    count.clear()
    return found


# ------------------------------------------------------------------ what the stages write


def test_equal_images_and_sentences_are_encoded_once(run, encoded, tmp_path, capsys):
    run(tmp_path / "out")
    lines = read_lines(tmp_path / "out/keywords/keywords.jsonl")
    usable = [f"i{n}" for n in range(N_ITEMS) if n not in (4, 5)]
    assert [line["item_id"] for line in lines] == usable
    assert lines[2]["keywords"] == lines[3]["keywords"]
    keyword_sentences = {" ".join(line["keywords"]) for line in lines}
    # 38 usable images, two of them equal; 40 titles, 5 descriptions
    assert since(encoded) == (37, N_ITEMS + 5 + len(keyword_sentences))
    skipped = read_lines(tmp_path / "out/keywords/skipped.jsonl")
    assert [line["reason"].split(";")[0] for line in skipped] == [
        "images/4.png: a text",
        "images/5.png: No such file or directory",
    ]
    record = json.loads((tmp_path / "out/keywords/record.json").read_text())
    assert (record["n_keywords"], record["images"], record["skipped"]) == (3, 38, 2)
    printed = capsys.readouterr().err
    assert "images skipped: 2 of 40, the first: images/4.png: a text" in printed
    assert "\r" not in printed  # a bar is for terminals


def test_the_commands_write_what_the_functions_write(
    run, folder, dictionary, tiny_clip, tiny_bert, tmp_path
):
    base = [str(folder), "--out", str(tmp_path / "commands")]
    options = ["--clip", tiny_clip, "--dictionary", dictionary]
    assert main(["keywords", *base, *options, "--set", "features.n_keywords=3"]) == 0
    command = ["features", *base, "--text-encoder", tiny_bert]
    assert main(command) == 0
    assert run(tmp_path / "functions", pooling="auto") == files(tmp_path / "commands")
    assert main([*command, "--check"]) == 0


def test_a_dataset_without_images_needs_no_keywords(tiny_bert, tmp_path):
    dataset = Dataset.from_folder(toy_dataset(tmp_path / "dataset"))
    config = FeatureConfig()
    features = compute_features(dataset, tmp_path / "run", config, text_encoder=tiny_bert)
    assert features.items == ["", *dataset.items]
    assert features.text.counts.tolist() == [0, *[1] * 12]
    assert features.image.counts.tolist() == [0] * 13
    assert features.image.gather(torch.arange(1, 13))[1].sum() == 0
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"features", "cache"}
    assert read_keywords(tmp_path / "run/features") == {}
    # The stage keywords alone writes empty files, and the features stay what they were.
    compute_keywords(dataset, tmp_path / "run", config)
    assert (tmp_path / "run/keywords/keywords.jsonl").read_bytes() == b""
    before = files(tmp_path / "run")
    compute_features(dataset, tmp_path / "run", config, text_encoder=tiny_bert)
    assert files(tmp_path / "run") == before


def test_images_without_keywords_are_refused_by_the_second_stage(folder, tiny_bert, tmp_path):
    with pytest.raises(UserError, match="compute the keywords first"):
        encode_features(Dataset.from_folder(folder), tmp_path / "out", text_encoder=tiny_bert)


def test_a_short_dictionary_is_refused_before_any_model_is_loaded(folder, dictionary, tmp_path):
    with pytest.raises(UserError, match="n_keywords is 15, but the dictionary has only 6 words"):
        compute_keywords(
            Dataset.from_folder(folder), tmp_path, clip="nobody/none", dictionary=dictionary
        )


class FakeTokenizer:
    """Stands in for CLIP: the keywords show the settings and how many were asked for."""

    def __init__(self, name, dictionary, prompt, device, threshold, diversity):
        self.settings = [prompt, "t" * round(9 + 9 * threshold), "d" * round(9 * diversity)]

    def describe(self):
        return {"identity": "fake"}

    def image_processor(self, images, return_tensors):
        return {"pixel_values": torch.ones(len(images), 1)}

    def encode(self, inputs):
        return inputs["pixel_values"]

    def choose(self, embeddings, n):
        words = [Keyword(word, 0.5) for word in [*self.settings, *"abcdefghijklmnop"]]
        return [words[:n] for _ in embeddings]


@pytest.mark.parametrize(
    "setting",
    [
        {"n_keywords": 4},
        {"max_sentences": 1},
        {"max_images": 1},
        {"prompt": "one {}"},
        {"threshold": 0.6},
        {"diversity": 0.5},
        {"pooling": "cls"},
        {"image_slots": "keywords"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_changes_the_table(setting, folder, run, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "KeywordTokenizer", FakeTokenizer)
    records = read_items(folder)
    records[0]["images"] = ["images/0.png", "images/1.png"]
    write_items(folder, records)
    run(tmp_path / "plain")
    run(tmp_path / "other", **setting)
    one, two = (load_feature_table(tmp_path / name / "features") for name in ("plain", "other"))
    parts = [(t.text.vectors.tolist(), t.image.vectors.tolist()) for t in (one, two)]
    assert parts[0] != parts[1]


# ------------------------------------------------------------------ unusable images


def test_it_stops_if_no_image_opens_and_goes_on_without_images_if_asked(folder, run, tmp_path):
    (folder / "images").rename(folder / "pictures")
    message = r"no image of 40 can be used, the first: images/0.png: No such file"
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path / "out")
    assert "features.max_images=0 goes on without images" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out/keywords").exists()
    run(tmp_path / "out", max_images=0)
    made = load_feature_table(tmp_path / "out/features")
    assert made.image.counts.sum() == 0
    assert made.text.counts[1:].all()
    assert made.manifest["keywords"] == {"max_images": 0}


def test_names_in_another_spelling_are_found_and_noticed_as_changed(folder, run, tmp_path):
    expected = run(tmp_path / "out")
    records = read_items(folder)
    for record in records:
        record["image"] = record["image"].upper().replace("/", "\\")
    write_items(folder, records)
    found = run(tmp_path / "other")
    words = [
        [line["keywords"] for line in map(json.loads, run["keywords/keywords.jsonl"].splitlines())]
        for run in (expected, found)
    ]
    assert words[0] == words[1]
    (folder / "images/7.png").write_bytes((folder / "images/8.png").read_bytes())
    assert run(tmp_path / "other")["keywords/keywords.jsonl"] != found["keywords/keywords.jsonl"]


@pytest.mark.parametrize(("missing", "loud"), [(8, False), (9, True)])
def test_many_unusable_images_give_a_warning(folder, run, tmp_path, capsys, missing, loud):
    for number in range(6, missing + 4):  # 4 and 5 are unusable anyway
        (folder / f"images/{number}.png").unlink()
    run(tmp_path / "out")
    told = capsys.readouterr().err
    assert f"images skipped: {missing} of 40" in told
    assert ("WARNING: 22% of the images cannot be used" in told) == loud


# ------------------------------------------------------------------ what a change costs


def test_nothing_changed_nothing_done(run, encoded, tmp_path, capsys):
    run(tmp_path / "out")
    since(encoded)
    capsys.readouterr()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    run(tmp_path / "out")
    assert since(encoded) == (0, 0)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert capsys.readouterr().err == "keywords: done already\nfeatures: done already\n"


def test_a_change_costs_exactly_what_depends_on_it(run, folder, encoded, tmp_path):
    out = tmp_path / "out"
    first = run(out)
    since(encoded)

    records = read_items(folder)
    records[7]["title"] = "another thing"
    write_items(folder, records)
    changed = run(out)
    assert since(encoded) == (0, 1)
    assert changed["keywords/keywords.jsonl"] == first["keywords/keywords.jsonl"]

    records.insert(0, {"item_id": "new", "title": "new", "image": "images/new.png"})
    Image.new("RGB", (9, 9), "red").save(folder / "images/new.png")
    write_items(folder, records)
    run(out)
    assert since(encoded)[0] == 1
    assert load_feature_table(out / "features").items[1] == "new"

    # Another image under the same name; another time of the same image.
    Image.new("RGB", (9, 9), "lime").save(folder / "images/9.png")
    (folder / "images/8.png").touch()
    run(out)
    assert since(encoded)[0] == 1

    run(out, n_keywords=4)
    images, sentences = since(encoded)
    assert images == 0
    assert sentences > 0
    run(out, n_keywords=4, prompt="a {}")
    assert since(encoded)[0] == 0
    run(out, n_keywords=4, prompt="a {}", pooling="cls")
    images, sentences = since(encoded)
    assert images == 0
    assert sentences > N_ITEMS
    assert len(list((out / "cache").iterdir())) == 2  # the cache of the other pooling is gone


def test_an_image_that_is_repaired_or_damaged_is_noticed(run, folder, tmp_path):
    run(tmp_path / "out")
    Image.new("RGB", (9, 9), "red").save(folder / "images/4.png")
    (folder / "images/6.png").write_bytes(b"damaged")
    (folder / "images/7.png").unlink()
    run(tmp_path / "out")
    skipped = read_lines(tmp_path / "out/keywords/skipped.jsonl")
    assert [line["item_id"] for line in skipped] == ["i5", "i6", "i7"]
    found = read_lines(tmp_path / "out/keywords/keywords.jsonl")
    usable = [f"i{n}" for n in range(N_ITEMS) if n not in (5, 6, 7)]
    assert [line["item_id"] for line in found] == usable


def test_after_changes_the_table_is_what_a_fresh_run_makes(run, folder, tmp_path):
    run(tmp_path / "one")
    records = read_items(folder)
    records[7]["title"] = "another thing"
    del records[11]
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\nu,i1,1\nu,i2,2\n")
    write_items(folder, records)
    run(tmp_path / "one")
    run(tmp_path / "two")
    one, two = (load_feature_table(tmp_path / f"{name}/features") for name in ("one", "two"))
    assert one.items == two.items
    for modality in ("text", "image"):
        changed, fresh = getattr(one, modality), getattr(two, modality)
        assert changed.counts.tolist() == fresh.counts.tolist()
        np.testing.assert_allclose(changed.vectors, fresh.vectors, atol=1e-3)


# ---------------------------------------------------------------------------- stops


class Stop(KeyboardInterrupt):
    """Somebody pressed Ctrl-C."""


def small_steps(monkeypatch):
    """Make batches and blocks so small that a toy dataset has several."""
    extract = stages.extract_keywords
    monkeypatch.setattr(stages, "extract_keywords", lambda *a, **o: extract(*a, **o, batch_size=8))
    monkeypatch.setattr(table, "_BLOCK", 16)


def test_a_run_stopped_anywhere_ends_like_one_that_was_not(run, encoded, tmp_path, monkeypatch):
    """Stop at moments at which something is kept, before it and after it."""
    small_steps(monkeypatch)
    whole = run(tmp_path / "whole")
    needed = since(encoded)
    add, rename = EmbeddingCache.add, Path.rename
    moments = 0
    left = [10**9]

    def count_down():
        nonlocal moments
        moments += 1
        left[0] -= 1
        if left[0] < 0:
            raise Stop

    def add_or_stop(self, keys, embeddings):
        count_down()
        add(self, keys, embeddings)
        count_down()

    def rename_or_stop(self, target):
        count_down()
        found = rename(self, target)
        count_down()
        return found

    monkeypatch.setattr(EmbeddingCache, "add", add_or_stop)
    monkeypatch.setattr(Path, "rename", rename_or_stop)
    run(tmp_path / "counting")
    since(encoded)
    assert moments >= 20
    for moment in range(0, moments, 3):
        out = tmp_path / f"stopped{moment}"
        left[0] = moment
        with pytest.raises(Stop):
            run(out)
        left[0] = 10**9
        assert run(out) == whole
        again = since(encoded)
        assert again[0] <= needed[0] + 8, "more than one batch of images was encoded twice"
        assert again[1] <= needed[1] + 16, "more than one block of sentences was encoded twice"
        assert {p.name for p in out.iterdir()} == {"keywords", "features", "cache"}


def test_ctrl_c_in_a_command_is_one_line(
    folder, dictionary, tiny_clip, tmp_path, monkeypatch, capsys
):
    def stop(*_):
        raise Stop

    monkeypatch.setattr(EmbeddingCache, "add", stop)
    command = ["keywords", str(folder), "--out", str(tmp_path / "out"), "--clip", tiny_clip]
    command += ["--dictionary", dictionary, "--set", "features.n_keywords=3"]
    assert main(command) == 130
    assert "stopped; finished work is kept" in capsys.readouterr().err


KILLED = """
import os, random, shutil, signal, sys, time
from msm4sr_lite.config import FeatureConfig
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features import stages, table
extract = stages.extract_keywords
stages.extract_keywords = lambda *a, **options: extract(*a, **options, batch_size=8)
table._BLOCK = 16
place, folder, clip, bert, dictionary = sys.argv[1:]

def child(out):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run(out)
        code = 0
    finally:
        os._exit(code)

def run(out):
    config = FeatureConfig(n_keywords=3, pooling="mean")
    models = {"clip": clip, "text_encoder": bert, "dictionary": dictionary}
    stages.compute_features(Dataset.from_folder(folder), out, config, **models)

run(place + "/whole")  # everything is imported before the first fork
start = time.perf_counter()
assert os.waitpid(child(place + "/timed"), 0)[1] == 0
duration = time.perf_counter() - start
rng = random.Random(0)
for trial in range(2):
    out, killed = f"{place}/killed{trial}", 0
    while killed < 2:
        pid = child(out)
        time.sleep(duration * rng.random())
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] == signal.SIGKILL:
            killed += 1
        else:  # it had ended: start from the beginning and kill earlier
            shutil.rmtree(out)
            duration, killed = duration * 0.8, 0
    assert os.waitpid(child(out), 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_killed_run_ends_like_one_that_was_not(
    folder, dictionary, tiny_clip, tiny_bert, tmp_path
):
    """Kill -9 at random times, twice a run."""
    arguments = [str(tmp_path), str(folder), tiny_clip, tiny_bert, dictionary]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for trial in range(2):
        out = tmp_path / f"killed{trial}"
        assert files(out) == files(tmp_path / "whole")
        assert {p.name for p in out.iterdir()} == {"keywords", "features", "cache"}


def test_a_full_disk_is_one_line_and_leaves_the_old_result(run, folder, tmp_path, monkeypatch):
    before = run(tmp_path / "out")
    records = read_items(folder)
    records[7]["title"] = "another thing"
    write_items(folder, records)

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("msm4sr_lite.store.files.os.fsync", full)
        for settings in ({}, {"prompt": "a {}"}):  # fails in features, then in keywords
            with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
                run(tmp_path / "out", **settings)
            assert files(tmp_path / "out") == before
    run(tmp_path / "out")


def test_an_output_that_is_a_file_is_one_line(folder, tiny_clip, tmp_path, capsys):
    (tmp_path / "out").touch()
    command = ["keywords", str(folder), "--out", str(tmp_path / "out"), "--clip", tiny_clip]
    assert main(command) == 2
    assert capsys.readouterr().err.count("cannot be written (") == 1
    with pytest.raises(UserError, match="workers must be an integer >= 1"):
        compute_keywords(Dataset.from_folder(folder), tmp_path / "run", clip=tiny_clip, workers=0)


# --------------------------------------------------------------- batches and workers


def test_batch_and_workers_change_no_keyword_and_hardly_an_embedding(
    folder, mini_clip, tiny_bert, tmp_path
):
    words = [f"{colour} {thing}" for colour in ("red", "blue") for thing in ("mug", "tent")]
    tokenizer = KeywordTokenizer(mini_clip, words)
    encoder = TextEncoder(tiny_bert)
    images = [(r["item_id"], r["image"]) for r in read_items(folder)]
    items = [
        Item(r["item_id"], r["title"], description=r["description"]) for r in read_items(folder)
    ]
    results = []
    for batch_size, workers in ((1, 1), (64, 1), (1, 4), (64, 4)):
        name = tmp_path / f"{batch_size}_{workers}"
        name.mkdir()
        with open_cache(name, "images", tokenizer.describe(), "float32") as cache:
            options = {"batch_size": batch_size, "workers": workers}
            found = list(extract_keywords(folder, images, tokenizer, 4, cache, **options))
        found.sort(key=lambda record: "keywords" in record)  # the skipped come first in a batch
        lines = "".join(json.dumps(record) + "\n" for record in found if "keywords" in record)
        (name / "keywords.jsonl").write_text(lines, encoding="utf-8")
        with open_cache(name, "sentences", encoder.describe(), "float16") as cache:
            sentences = slot_sentences(items, read_keywords(name))
            make_features(name / "features", sentences, encoder, cache, batch_size=batch_size)
        results.append((found, load_feature_table(name / "features")))
    base, base_table = results[0]
    for found, made in results[1:]:
        for one, two in zip(base, found, strict=True):
            if "reason" in one:
                assert one == two
                continue
            gaps = np.abs(np.diff(one["scores"]))
            if gaps.min() > 1e-4:  # scores are written with four digits
                assert one["keywords"] == two["keywords"]
            assert one["scores"] == pytest.approx(two["scores"], abs=1e-3)
        for modality in ("text", "image"):
            np.testing.assert_allclose(
                getattr(base_table, modality).vectors, getattr(made, modality).vectors, atol=1e-3
            )


def test_images_without_keywords_are_refused(folder, tiny_clip, tiny_bert, tmp_path):
    """As after new items, if the keywords were not computed again."""
    data, out = Dataset.from_folder(folder), tmp_path / "run"
    compute_keywords(data, out, clip=tiny_clip)
    new = Item("new", "A new thing", images=(next(iter(data.items.values())).images[0],))
    more = replace(data, items={**data.items, "new": new})
    with pytest.raises(UserError, match=r"items whose images have no keywords: 1 .*'new'"):
        encode_features(more, out, text_encoder=tiny_bert)


def test_the_features_of_a_model_are_not_replaced_by_those_of_another_encoder(tmp_path, tiny_bert):
    data, out = Dataset.from_folder(toy_dataset(tmp_path / "data")), tmp_path / "run"
    made_by = encode_features(data, out, text_encoder=tiny_bert).manifest["text_encoder"]
    write_record(out / "finetuned", {}, {"settings": {"text_encoder": made_by}})
    config = FeatureConfig(max_sentences=1)
    encode_features(data, out, config, text_encoder=tiny_bert)  # the same encoder
    write_record(out / "finetuned", {}, {"settings": {"text_encoder": made_by | {"weights": "x"}}})
    with pytest.raises(UserError, match=r"model in .*finetuned differs in weights .*another run"):
        encode_features(data, out, text_encoder=tiny_bert)
