"""A small CLIP from labelled pictures: labels in, a folder that `msm4sr keywords` reads out."""

import json
import random
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from msm4sr_lite.cli import main
from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.captions import PROMPT, write_captions
from msm4sr_lite.features.clip.images import augment, load_images
from msm4sr_lite.features.clip.labels import read_labels
from msm4sr_lite.features.clip.make import train_clip
from msm4sr_lite.features.clip.retrieval import precision_and_recall
from msm4sr_lite.features.clip.training import ClipTrainingConfig, average_precision, step_loss
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

COLOURS = ("red", "blue", "green", "yellow")
RADIUS = {"dot": 7, "disc": 13}
SHAPES = tuple(RADIUS)
TINY = partial(ClipTrainingConfig, batch=8, size=32, width=0.25, learning_rate=2e-3, seed=1)


def paint(colour, shape, rng):
    picture = Image.new("RGB", (30, 30), "white")
    pen = ImageDraw.Draw(picture)
    x, y, radius = rng.randint(13, 17), rng.randint(13, 17), RADIUS[shape]
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture


def labelled_folder(folder, count=200, shuffled=False):
    rng = random.Random(0)
    (folder / "images").mkdir(parents=True)
    looks = [(rng.choice(COLOURS), rng.choice(SHAPES)) for _ in range(count)]
    for k, look in enumerate(looks):
        paint(*look, rng).save(folder / f"images/p{k}.png")
    if shuffled:
        rng.shuffle(looks)
    rows = [
        f"images/p{k}.png,{colour},{shape},Number {k}" for k, (colour, shape) in enumerate(looks)
    ]
    (folder / "labels.csv").write_text(
        "\n".join(["image,colour,shape,title", *rows]) + "\n", "utf-8"
    )
    return folder


def write_table(folder, text):
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return labelled_folder(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("clip") / "model"
    return out, train_clip(folder, out, recipe=TINY(epochs=6), test_pictures=40)


# -------------------------------------------------------------------------- the whole


def test_labels_of_unseen_pictures_are_found(trained):
    _, report = trained
    test = report["test"]
    assert test["pictures"] == 40
    assert test["precision@2"] > test["by_frequency"]["precision@2"] + 0.2
    assert test["first_of_column"]["colour"] > 0.5  # chance: 0.25
    assert test["first_of_column"]["shape"] > 0.9  # chance: 0.5


def test_shuffled_labels_cannot_be_learnt(tmp_path):
    folder = labelled_folder(tmp_path / "data", shuffled=True)
    test = train_clip(folder, tmp_path / "out", recipe=TINY(epochs=3), test_pictures=40)["test"]
    assert test["precision@2"] < test["by_frequency"]["precision@2"] + 0.15
    assert test["first_of_column"]["colour"] < 0.5


def test_the_folder_is_an_ordinary_one(trained):
    out, report = trained
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "words.txt",
    }
    assert (out / "words.txt").read_text().split() == [*sorted(COLOURS), *sorted(SHAPES)]
    assert json.loads((out / "evaluation.json").read_text()) == report
    card = (out / "README.md").read_text()
    assert f"{report['test']['precision@2']:.3f}" in card
    assert "{" not in card.replace(PROMPT, "")


def test_keywords_reads_the_folder(trained, tmp_path, capsys):
    out, _ = trained
    dataset = tmp_path / "dataset"
    (dataset / "images").mkdir(parents=True)
    paint("blue", "disc", random.Random(5)).save(dataset / "images/1.png")
    (dataset / "items.jsonl").write_text('{"item_id": "1", "image": "images/1.png"}\n')
    (dataset / "interactions.csv").write_text("user_id,item_id,timestamp\nu,1,1\n")
    command = ["keywords", str(dataset), "--out", str(tmp_path / "run"), "--clip", str(out)]
    assert main([*command, "--dictionary", str(out / "words.txt"), "--n-keywords", "2"]) == 0
    line = json.loads((tmp_path / "run/keywords/keywords.jsonl").read_text())
    assert "disc" in line["keywords"]
    assert len(line["keywords"]) == 2


def test_same_seed_same_weights_and_report(folder, tmp_path):
    recipe = TINY(epochs=1, batch=64)
    reports = [train_clip(folder, tmp_path / name, recipe=recipe) for name in ("a", "b")]
    for report in reports:
        del report["name"], report["minutes"]
    assert reports[0] == reports[1]
    a, b = (tmp_path / name / "model.safetensors" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()


def test_it_stops_early_and_keeps_the_best_epoch(folder, tmp_path, monkeypatch):
    from msm4sr_lite.features.clip import training

    scores = iter([0.2, 0.5, 0.4, 0.3, 0.6])
    monkeypatch.setattr(training, "average_precision", lambda *_: next(scores))
    seen = []

    def watch(steps, name, total):
        for step in steps:
            seen.append(step)
            yield step

    recipe = TINY(epochs=5, patience=2, batch=64)
    report = train_clip(folder, tmp_path / "out", recipe=recipe, progress=watch)
    assert (report["epochs"], report["best_epoch"]) == (4, 2)


def test_the_command(folder, tmp_path, capsys, monkeypatch):
    from msm4sr_lite.features.clip import training

    def small(epochs, seed):
        return TINY(epochs=epochs, seed=seed, batch=64)

    monkeypatch.setattr(training, "Recipe", small)
    out = str(tmp_path / "model")
    assert main(["train-clip", str(folder), "--out", out, "--epochs", "1", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["columns"] == ["colour", "shape"]
    assert "label columns colour, shape: 6 words" in told.err
    assert main(["train-clip", str(folder), "--out", out]) == 2
    assert "there is something already" in capsys.readouterr().err


def test_nothing_is_written_when_training_fails(folder, tmp_path, monkeypatch):
    from msm4sr_lite.features.clip import make

    monkeypatch.setattr(make, "write_card", lambda *_: 1 / 0)
    recipe = TINY(epochs=1, batch=64)
    with pytest.raises(ZeroDivisionError):
        train_clip(folder, tmp_path / "out", recipe=recipe)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------- the labels


def test_columns_with_few_short_values_are_chosen(folder):
    found = read_labels(folder)
    assert list(found.labels) == ["colour", "shape"]  # not the title, which differs every time
    assert found.words == [*sorted(COLOURS), *sorted(SHAPES)]
    assert list(read_labels(folder, ["shape"]).labels) == ["shape"]


def test_pictures_are_found_without_folder_or_ending(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("0012.jpg", "0013.png", "0014.jpg"):
        Image.new("RGB", (3, 3)).save(tmp_path / "images" / name)
    write_table(tmp_path, "id,kind\n0012,cup\n0013,pan\n0014.jpg,pan\n0015,cup\n")
    found = read_labels(tmp_path)
    assert found.pictures == ["images/0012.jpg", "images/0013.png", "images/0014.jpg"]
    assert found.missing == 1


def test_lines_of_one_picture_are_put_together(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (3, 3)).save(tmp_path / name)
    write_table(tmp_path, "image,kind\na.png,cup\nb.png,#pan\na,pot\na.png,cup\n")
    found = read_labels(tmp_path)
    assert found.pictures == ["a.png", "b.png"]
    assert found.labels == {"kind": [("cup", "pot"), ("pan",)]}


def test_missing_labels_numbers_and_spellings(tmp_path):
    for k in range(5):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{k}.png")
    rows = ["0,Red,1.5,Unknown", "1,red,2.5,big", "2,Blue  sky,1.5,", "3,,1.5,", "4,Unknown,2,big"]
    write_table(tmp_path, "\n".join(["image,colour,price,size", *rows]))
    with pytest.raises(UserError, match="column 'size' has fewer than two different labels"):
        read_labels(tmp_path, ["colour", "size"])
    found = read_labels(tmp_path)
    assert found.labels == {"colour": [("Red",), ("Red",), ("Blue sky",)]}
    assert found.pictures == ["0.png", "1.png", "2.png"]


def test_a_named_text_column_gives_its_common_words(tmp_path):
    rows = []
    for k in range(30):
        Image.new("RGB", (3, 3)).save(tmp_path / f"{k}.png")
        cut = "sleeveless" if k % 2 else "hooded"
        rows.append(f"{k}.png,A {cut} dress that was made for the long summer evening of {k}x.")
    write_table(tmp_path, "\n".join(["image,text", *rows]))
    with pytest.raises(UserError, match="no column with few different, short labels"):
        read_labels(tmp_path)
    found = read_labels(tmp_path, ["text"])
    assert {"sleeveless", "hooded", "dress"} <= set(found.words)
    assert "that" not in found.words
    assert "sleeveless" in found.labels["text"][1]
    assert "sleeveless" not in found.labels["text"][0]


def test_mistakes_are_one_line(tmp_path, folder):
    place = tmp_path / "labelled"
    place.mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "outside.png")
    with pytest.raises(UserError, match=r"labels.csv: no such file"):
        read_labels(place)
    Image.new("RGB", (2, 2)).save(place / "p.png")
    for text, columns, message in (
        ("", [], "the file is empty"),
        ("image,kind\n", [], "no picture in it"),
        ("image,kind\nnone.jpg,cup\n", [], "none of its 1 names is a file"),
        ("image,kind\n../outside.png,cup\n", [], "none of its 1 names is a file"),
        (f"image,kind\n{'long' * 999},cup\n", [], "none of its 1 names is a file"),
        ("image,kind\np.png,cup\n", ["colour"], "no label column 'colour'; there are: kind"),
        ("image\np.png\n", [], "no column with few different"),
    ):
        write_table(place, text)
        with pytest.raises(UserError, match=message) as error:
            read_labels(place, columns)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="30 pictures to learn from, but at least 50 are needed"):
        train_clip(folder, tmp_path / "out", recipe=TINY(), test_pictures=150)
    with pytest.raises(UserError, match="epochs must be at least 1"):
        ClipTrainingConfig(epochs=0)


def test_unreadable_pictures_are_counted_and_left_out(folder, tmp_path):
    bad = tmp_path / "bad"
    labelled_folder(bad)
    (bad / "images/p3.png").write_bytes(b"no picture")
    (bad / "images/p4.png").unlink()
    told = []
    recipe = TINY(epochs=1, batch=64)
    report = train_clip(bad, tmp_path / "out", recipe=recipe, say=told.append)
    assert report["unusable_pictures"] == 2
    assert report["learnt"] + report["validation"]["pictures"] == 198
    assert any("1 pictures cannot be read, the first: images/p3.png" in line for line in told)
    assert any("1 pictures of labels.csv are not in the folder" in line for line in told)


# --------------------------------------------------------------------------- the parts


def test_captions_say_words_that_hold(folder):
    words = ["red", "blue", "round", "square"]
    true = torch.tensor([[True, False, True, False], [False, True, False, False]])
    captions, says = write_captions(words, true, random.Random(0))
    assert torch.equal(says[:4], torch.eye(4, dtype=torch.bool))
    assert says[4:].tolist() == [[True, False, True, False]]  # one word alone is said already
    assert "red" in captions[4]
    assert "round" in captions[4]
    many = [c for _ in range(20) for c in write_captions(words, true, random.Random(_))[0]]
    assert PROMPT.format("red") in many
    assert "red" in many


def test_step_loss_by_hand():
    # Two pictures, two words of one kind each; every score 0: the loss knows only the choices.
    true = torch.tensor([[True, False, True, False], [False, True, False, False]])
    says = torch.eye(4, dtype=torch.bool)
    loss = step_loss(torch.zeros(2, 4), true, says, [[0, 1], [2, 3]])
    log = torch.tensor([4.0, 2.0]).log()
    captions = (log[0] + log[1]) / 2  # rows among 4 captions, columns among 2 pictures
    torch.testing.assert_close(loss, captions + log[0] + log[1])


def test_step_loss_prefers_what_holds():
    true = torch.tensor([[True, False], [False, True]])
    says = torch.eye(2, dtype=torch.bool)
    right, wrong = 5 * torch.eye(2), 5 * (1 - torch.eye(2))
    assert step_loss(right, true, says, [[0, 1]]) < step_loss(wrong, true, says, [[0, 1]]) - 5


def test_average_precision_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [3.0, 2.0, 1.0]])
    true = torch.tensor([[True, True, False], [False, False, True]])
    assert average_precision(scores, true) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)


def test_precision_counts_missing_labels_as_wrong():
    assert precision_and_recall([["a", "b", "c"]], [{"a"}], 2) == {
        "precision@2": 0.5,
        "recall@10": 1.0,
    }


def test_augment_keeps_colour_names_true():
    red = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    red[:, 0] = 200
    changed = augment(red, torch.Generator().manual_seed(0))
    assert changed.shape == red.shape
    assert 0.69 < float(changed[:, 0].min()) <= float(changed[:, 0].max()) < 0.88
    assert float(changed[:, 1:].max()) < 0.01
    again = augment(red, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


def test_augment_moves_and_mirrors_but_keeps_most_of_the_picture():
    half = torch.zeros(200, 3, 16, 16, dtype=torch.uint8)
    half[..., :8] = 200
    changed = augment(half, torch.Generator().manual_seed(0))
    left = changed[..., 4].mean((1, 2)) > changed[..., 11].mean((1, 2))
    assert 0.35 < float(left.float().mean()) < 0.65
    light = changed.mean((1, 2, 3)) / (200 / 255)
    assert 0.25 < float(light.min()) < float(light.max()) < 0.75


def test_training_sees_pictures_as_keywords_will(folder, trained):
    names = read_labels(folder).pictures[:3]
    pixels, kept, problems = load_images(folder, names, (32, 32), lambda steps: steps)
    assert (kept, problems) == ([0, 1, 2], [])
    clip = KeywordTokenizer(str(trained[0]), ["red"])
    seen = clip.image_processor(
        images=[Image.open(folder / name).convert("RGB") for name in names], return_tensors="pt"
    )["pixel_values"]
    processor = clip.image_processor
    mean, std = (
        torch.tensor(v)[:, None, None] for v in (processor.image_mean, processor.image_std)
    )
    torch.testing.assert_close((pixels / 255 - mean) / std, seen, atol=0.02, rtol=0)


@pytest.mark.slow
def test_real_photographs(shared_data: Path, tmp_path):
    columns = ["product_type_name", "graphical_appearance_name", "perceived_colour_master_name"]
    report = train_clip(
        shared_data / "hm_captions",
        tmp_path / "out",
        columns,
        ClipTrainingConfig(epochs=3),
        test_pictures=400,
    )
    test = report["test"]
    assert test["precision@3"] > test["by_frequency"]["precision@3"] + 0.05
