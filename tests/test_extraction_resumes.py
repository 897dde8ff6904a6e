"""Keywords and features survive any stop, and a change costs only what depends on it."""

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from msm4sr_lite.cli import main
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.image_keywords import extract_keywords
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import DatasetSentences, make_features
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.features.text_encoder import TextEncoder, table
from msm4sr_lite.features.text_encoder import image_keywords as image_keywords
from msm4sr_lite.progress import counter

ITEMS = 40


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory, mini_clip):
    """A CLIP of one small layer with random weights; the bundled one's tokenizer."""
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=small | {"vocab_size": 1150, "bos_token_id": 1148, "eos_token_id": 1149},
        vision_config=small | {"image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(mini_clip).save_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(mini_clip, backend="pil")
    images.size, images.crop_size = {"shortest_edge": 16}, {"height": 16, "width": 16}
    images.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def dataset(tmp_path):
    """A shop folder with pictures, of which some are equal, some damaged, some missing."""
    folder = tmp_path / "dataset"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    records = []
    for number in range(ITEMS):
        pixels = rng.integers(0, 255, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        text = {"title": f"thing {number}", "description": f"It is a {'big ' * (number % 5)}mug."}
        records.append({"item_id": f"i{number}", "image": f"images/{number}.png", **text})
    (folder / "images/3.png").write_bytes((folder / "images/2.png").read_bytes())
    (folder / "images/4.png").write_bytes(b"no picture")
    (folder / "images/5.png").unlink()
    write_items(folder, records)
    events = "".join(f"u,i{number},{number}\n" for number in range(ITEMS))
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\n" + events)
    return folder


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_items(folder):
    return read_lines(folder / "items.jsonl")


def write_items(folder, records):
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def stages(dataset, tiny_clip, tiny_bert, tmp_path):
    """Return a function that runs both stages into a run folder."""
    words = tmp_path / "words.txt"
    words.write_text("red\nblue\nmug\ntent\ncup\nlid\n", encoding="utf-8")

    def run(out, *, dictionary=words, words_=3, prompt="a photo of a {}", pooling="mean"):
        base = [str(dataset), "--out", str(out)]
        seen = ["--clip", tiny_clip, "--dictionary", str(dictionary), "--n-keywords", str(words_)]
        assert main(["keywords", *base, *seen, "--prompt", prompt]) == 0
        read = ["--text-encoder", tiny_bert, "--pooling", pooling]
        assert main(["features", *base, *read]) == 0
        return files(out)

    return run


def files(out):
    """Return the content of everything the two stages leave, but for the cache."""
    paths = [p for name in ("keywords", "features") for p in (out / name).rglob("*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.fixture
def encoded(monkeypatch):
    """Count what goes through the models."""
    count = Counter()
    seen, read = image_keywords._vectors, TextEncoder.encode

    def vectors(tokenizer, inputs):
        count["pictures"] += len(inputs)
        return seen(tokenizer, inputs)

    def encode(self, sentences, *args, **options):
        count["sentences"] += len(sentences)
        return read(self, sentences, *args, **options)

    monkeypatch.setattr(image_keywords, "_vectors", vectors)
    monkeypatch.setattr(TextEncoder, "encode", encode)
    return count


def since(count):
    """Return what was counted and start again."""
    found = (count["pictures"], count["sentences"])
    count.clear()
    return found


def test_a_terminal_sees_a_bar_with_rate_and_time_left(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with counter(40, "keywords", "picture") as advance:
        advance(10)
        time.sleep(0.11)  # the bar is drawn ten times a second at most
        advance(10)
    shown = sys.stderr.getvalue()
    assert "keywords:  50%" in shown
    assert re.search(r"20/40 \[00:00<\d\d:\d\d, +[\d.]+picture/s\]", shown)


# ------------------------------------------------------------------ what a change costs


def test_equal_pictures_and_sentences_are_encoded_once(stages, dataset, encoded, tmp_path, capsys):
    stages(tmp_path / "out")
    lines = read_lines(tmp_path / "out/keywords/keywords.jsonl")
    assert [line["item_id"] for line in lines] == [f"i{n}" for n in range(ITEMS) if n not in (4, 5)]
    assert lines[2]["words"] == lines[3]["words"]
    keyword_sentences = {" ".join(line["words"]) for line in lines}
    # 38 usable pictures, two of them equal; 40 titles, 5 descriptions
    assert since(encoded) == (37, ITEMS + 5 + len(keyword_sentences))
    skipped = read_lines(tmp_path / "out/keywords/skipped.jsonl")
    assert [line["reason"].split(";")[0] for line in skipped] == [
        "images/4.png: not a picture, or damaged",
        "images/5.png: no such file",
    ]
    record = json.loads((tmp_path / "out/keywords/record.json").read_text())
    assert (record["pictures"], record["skipped"]) == (38, 2)
    told = capsys.readouterr().err
    assert "keywords: 40 pictures in" in told
    assert "2 of 40 pictures skipped, the first: images/4.png: not a picture" in told
    assert "\r" not in told  # a bar is for terminals


def test_nothing_changed_nothing_done(stages, encoded, tmp_path, capsys):
    stages(tmp_path / "out")
    since(encoded)
    capsys.readouterr()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    stages(tmp_path / "out")
    assert since(encoded) == (0, 0)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    told = capsys.readouterr().err
    assert told == "keywords: done already\nfeatures: done already\n"


def test_a_change_costs_exactly_what_depends_on_it(stages, dataset, encoded, tmp_path):
    out = tmp_path / "out"
    first = stages(out)
    since(encoded)

    records = read_items(dataset)
    records[7]["title"] = "another thing"
    write_items(dataset, records)
    changed = stages(out)
    assert since(encoded) == (0, 1)
    assert changed["keywords/keywords.jsonl"] == first["keywords/keywords.jsonl"]

    records.insert(0, {"item_id": "new", "title": "new", "image": "images/new.png"})
    Image.new("RGB", (9, 9), "red").save(dataset / "images/new.png")
    write_items(dataset, records)
    stages(out)
    assert since(encoded)[0] == 1
    assert load_feature_table(out / "features").items[1] == "new"

    Image.new("RGB", (9, 9), "lime").save(
        dataset / "images/9.png"
    )  # another picture, the same name
    (dataset / "images/8.png").touch()  # another time, the same picture
    stages(out)
    assert since(encoded)[0] == 1

    stages(out, words_=4)
    pictures, sentences = since(encoded)
    assert pictures == 0
    assert sentences > 0
    stages(out, words_=4, prompt="a {}")
    assert since(encoded)[0] == 0
    stages(out, words_=4, prompt="a {}", pooling="cls")
    pictures, sentences = since(encoded)
    assert pictures == 0
    assert sentences > ITEMS
    assert len(list((out / "cache").iterdir())) == 2  # vectors of the other pooling are gone


def test_a_picture_that_is_mended_or_spoilt_is_noticed(stages, dataset, tmp_path):
    stages(tmp_path / "out")
    Image.new("RGB", (9, 9), "red").save(dataset / "images/4.png")
    (dataset / "images/6.png").write_bytes(b"spoilt")
    (dataset / "images/7.png").unlink()
    stages(tmp_path / "out")
    skipped = read_lines(tmp_path / "out/keywords/skipped.jsonl")
    assert [line["item_id"] for line in skipped] == ["i5", "i6", "i7"]
    found = read_lines(tmp_path / "out/keywords/keywords.jsonl")
    assert [line["item_id"] for line in found] == [
        f"i{n}" for n in range(ITEMS) if n not in (5, 6, 7)
    ]


def test_after_changes_the_table_is_what_a_fresh_run_makes(stages, dataset, tmp_path):
    stages(tmp_path / "one")
    records = read_items(dataset)
    records[7]["title"] = "another thing"
    del records[11]
    (dataset / "interactions.csv").write_text("user_id,item_id,timestamp\nu,i1,1\nu,i2,2\n")
    write_items(dataset, records)
    stages(tmp_path / "one")
    stages(tmp_path / "two")
    one, two = (load_feature_table(tmp_path / f"{name}/features") for name in ("one", "two"))
    assert one.items == two.items
    for part in ("text", "image"):
        mine, fresh = getattr(one, part), getattr(two, part)
        assert mine.counts.tolist() == fresh.counts.tolist()
        np.testing.assert_allclose(mine.vectors, fresh.vectors, atol=1e-3)


# ---------------------------------------------------------------------------- stops


class Stop(KeyboardInterrupt):
    """Somebody pressed Ctrl-C."""


def small_steps(monkeypatch):
    """Batches and blocks so small that a toy shop has several."""
    encode = image_keywords.encode_images

    def few(*args, **options):
        return encode(*args, **options, batch_size=8)

    monkeypatch.setattr(image_keywords, "encode_pictures", few)
    monkeypatch.setattr(table, "_BLOCK", 16)


def test_a_run_stopped_anywhere_ends_like_one_that_was_not(
    stages, encoded, tmp_path, monkeypatch, capsys
):
    """Every moment at which something is kept is a moment to stop, before it and after it."""
    small_steps(monkeypatch)
    whole = stages(tmp_path / "whole")
    needed = since(encoded)
    add, replace = EmbeddingCache.add, Path.rename
    moments = 0
    fuse = [10**9]

    def burn():
        nonlocal moments
        moments += 1
        fuse[0] -= 1
        if fuse[0] < 0:
            raise Stop

    def add_or_stop(self, keys, vectors):
        burn()
        add(self, keys, vectors)
        burn()

    def rename_or_stop(self, target):
        burn()
        found = replace(self, target)
        burn()
        return found

    monkeypatch.setattr(EmbeddingCache, "add", add_or_stop)
    monkeypatch.setattr(Path, "rename", rename_or_stop)
    stages(tmp_path / "counting")
    since(encoded)
    assert moments >= 20
    for moment in range(0, moments, 3):
        out = tmp_path / f"stopped{moment}"
        fuse[0] = moment
        with pytest.raises(AssertionError):  # exit code 130 is not 0
            stages(out)
        fuse[0] = 10**9
        assert stages(out) == whole
        again = since(encoded)
        assert again[0] <= needed[0] + 8, "more than one batch of pictures was done twice"
        assert again[1] <= needed[1] + 16, "more than one block of sentences was done twice"
        assert {p.name for p in out.iterdir()} == {"keywords", "features", "cache"}
    assert "stopped; finished work is kept" in capsys.readouterr().err


KILLED = """
import os, random, shutil, signal, sys, time
from msm4sr_lite.cli import main
from msm4sr_lite.progress import counter
from msm4sr_lite.features import picture_keywords, table
encode = picture_keywords.encode_pictures
picture_keywords.encode_pictures = lambda *a, **options: encode(*a, **options, batch_size=8)
table._BLOCK = 16
keywords, features = sys.argv[2].split("|"), sys.argv[3].split("|")

def child(out):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = run(out)
    finally:
        os._exit(code)

def run(out):
    return main([*keywords, "--out", out]) or main([*features, "--out", out])

assert run(sys.argv[1] + "/whole") == 0  # everything is imported before the first fork
start = time.perf_counter()
assert os.waitpid(child(sys.argv[1] + "/timed"), 0)[1] == 0
duration = time.perf_counter() - start
rng = random.Random(0)
for trial in range(2):
    out, killed = f"{sys.argv[1]}/killed{trial}", 0
    while killed < 2:
        pid = child(out)
        time.sleep(duration * rng.random())
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] == signal.SIGKILL:
            killed += 1
        else:  # it had ended: once more from the beginning, and be quicker
            shutil.rmtree(out)
            duration, killed = duration * 0.8, 0
    assert os.waitpid(child(out), 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_killed_run_ends_like_one_that_was_not(dataset, tiny_clip, tiny_bert, tmp_path):
    """kill -9 at random times, twice a run."""
    words = tmp_path / "words.txt"
    words.write_text("red\nblue\nmug\ntent\ncup\nlid\n", encoding="utf-8")
    keywords = ["keywords", str(dataset), "--clip", tiny_clip, "--dictionary", str(words)]
    features = ["features", str(dataset), "--text-encoder", tiny_bert]
    command = [str(tmp_path), "|".join([*keywords, "--n-keywords", "3"]), "|".join(features)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for trial in range(2):
        out = tmp_path / f"killed{trial}"
        assert files(out) == files(tmp_path / "whole")
        assert {p.name for p in out.iterdir()} == {"keywords", "features", "cache"}


# --------------------------------------------------------------- batches and workers


def test_batch_and_workers_change_no_word_and_hardly_a_vector(
    dataset, mini_clip, tiny_bert, tmp_path
):
    dictionary = [f"{colour} {thing}" for colour in ("red", "blue") for thing in ("mug", "tent")]
    tokenizer = KeywordTokenizer(mini_clip, dictionary)
    encoder = TextEncoder(tiny_bert)
    pictures = [(r["item_id"], r["image"]) for r in read_items(dataset)]
    items = [
        Item(r["item_id"], r["title"], description=r["description"]) for r in read_items(dataset)
    ]
    results = []
    for batch_size, workers in ((1, 1), (64, 1), (1, 4), (64, 4)):
        name = tmp_path / f"{batch_size}_{workers}"
        name.mkdir()
        with EmbeddingCache(name / "pictures.sqlite", "float32") as cache:
            options = {"batch_size": batch_size, "workers": workers}
            found = list(extract_keywords(dataset, pictures, tokenizer, 4, cache, **options))
        lines = "".join(json.dumps(record) + "\n" for record in found if "words" in record)
        (name / "keywords.jsonl").write_text(lines, encoding="utf-8")
        with EmbeddingCache(name / "sentences.sqlite") as cache:
            sentences = DatasetSentences(items, name / "keywords.jsonl")
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
                assert one["words"] == two["words"]
            assert one["scores"] == pytest.approx(two["scores"], abs=1e-3)
        for part in ("text", "image"):
            np.testing.assert_allclose(
                getattr(base_table, part).vectors, getattr(made, part).vectors, atol=1e-3
            )


# ------------------------------------------------------------------------ the cache


def test_trouble_with_the_cache_is_not_taken_for_a_bad_picture(dataset, mini_clip, monkeypatch):
    def damaged(*_):
        raise UserError("v.sqlite: damaged")

    monkeypatch.setattr(EmbeddingCache, "file_key", damaged)
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), EmbeddingCache(":memory:", "float32")
    with pytest.raises(UserError, match=r"v.sqlite: damaged"):
        list(extract_keywords(dataset, [("i0", "images/0.png")], tokenizer, 1, cache))


def test_a_picture_that_cannot_be_resized_is_skipped(dataset, mini_clip, monkeypatch):
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), EmbeddingCache(":memory:", "float32")
    images = tokenizer.images

    def one_is_odd(images_, **options):
        if images_[0].size == (3, 3):
            raise ValueError("too narrow")
        return images(images=images_, **options)

    monkeypatch.setattr(tokenizer, "images", lambda images, **o: one_is_odd(images, **o))
    Image.new("RGB", (3, 3)).save(dataset / "images/1.png")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    skipped, found = extract_keywords(dataset, pairs, tokenizer, 1, cache)
    assert skipped["reason"] == "images/1.png: cannot be resized (too narrow)"
    assert found["item_id"] == "i0"


def test_a_link_out_of_the_shop_is_refused_even_if_its_content_is_known(
    dataset, mini_clip, tmp_path
):
    (tmp_path / "secret.png").write_bytes((dataset / "images/0.png").read_bytes())
    (dataset / "images/1.png").unlink()
    (dataset / "images/1.png").symlink_to(tmp_path / "secret.png")
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), EmbeddingCache(":memory:", "float32")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    for _ in range(2):
        skipped, found = extract_keywords(dataset, pairs, tokenizer, 1, cache)
        assert "lies outside the shop folder" in skipped["reason"]
        assert found["item_id"] == "i0"


def test_the_cache_keeps_vectors_and_files(tmp_path):
    vectors = np.arange(6, dtype=np.float16).reshape(2, 3)
    with EmbeddingCache(tmp_path / "v.sqlite") as cache:
        cache.add([b"a", b"b"], vectors)
        cache.note_file("x.png", (5, 7), b"a")
        cache.note_file("bad.png", None, None)
        cache.commit()
        cache.note_file("forgotten.png", (5, 7), b"a")
    with EmbeddingCache(tmp_path / "v.sqlite") as cache:
        assert b"a" in cache
        assert b"z" not in cache
        found = cache.read([b"b", b"z", b"b"])
        assert found.keys() == {b"b"}
        assert np.array_equal(found[b"b"], vectors[1])
        assert cache.file_key("x.png", (5, 7)) == b"a"
        assert cache.file_key("x.png", (5, 8)) is None
        names = ["x.png", "bad.png", "forgotten.png", "none.png"]
        assert cache.file_keys(names) == {"x.png": b"a"}


def test_a_cache_that_cannot_be_used_is_one_line(tmp_path):
    path = tmp_path / "v.sqlite"
    with EmbeddingCache(path) as cache:
        cache.add([b"a"], np.ones((1, 3)))
        with pytest.raises(UserError, match=r"v.sqlite: in use by another run; wait for it"):
            EmbeddingCache(path)
        cache._base.execute("PRAGMA max_page_count = 5")
        with pytest.raises(UserError, match="the disk is full; free some space and run again"):
            cache.add([b"b"], np.ones((1, 10**6)))
    base = sqlite3.connect(path)
    base.execute("UPDATE vectors SET vector = zeroblob(6)")
    base.commit()
    base.close()
    with (
        EmbeddingCache(path) as cache,
        pytest.raises(UserError, match=r"damaged; delete this file"),
    ):
        cache.read([b"a"])
    path.write_bytes(b"something else " * 99)
    with pytest.raises(UserError, match=r"damaged \(file is not a database\); delete this file"):
        EmbeddingCache(path)
    with pytest.raises(UserError, match=r"cannot be opened or written; mend that"):
        EmbeddingCache(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written"):
        EmbeddingCache(tmp_path / "file/v.sqlite")


def test_a_full_disk_is_one_line_and_leaves_the_old_result(
    stages, dataset, tmp_path, capsys, monkeypatch
):
    before = stages(tmp_path / "out")
    records = read_items(dataset)
    records[7]["title"] = "another thing"
    write_items(dataset, records)
    capsys.readouterr()

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("msm4sr_lite.store.files.os.fsync", full)
        for settings in ({}, {"prompt": "a {}"}):  # fails in features, then in keywords
            with pytest.raises(AssertionError):
                stages(tmp_path / "out", **settings)
            *_, error = capsys.readouterr().err.splitlines()
            assert "cannot be written (No space left on device); mend that, or give" in error
            assert files(tmp_path / "out") == before
    stages(tmp_path / "out")


def test_an_output_that_is_a_file_is_one_line(dataset, tiny_clip, tmp_path, capsys):
    (tmp_path / "out").touch()
    command = ["keywords", str(dataset), "--out", str(tmp_path / "out"), "--clip", tiny_clip]
    assert main(command) == 2
    assert capsys.readouterr().err.count("cannot be written (") == 1
    assert main([*command, "--workers", "0"]) == 2
    assert "--workers must be at least 1; got 0" in capsys.readouterr().err
