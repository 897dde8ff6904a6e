"""The committed CLIP for photographs: an ordinary folder, as precise as its card says."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoProcessor

from data_samples.make.photo_precision import SHIPPED, TOP, photo_precision
from data_samples.make.photos import read_photos
from msm4sr_lite.features.clip.labelled_images import label_words, read_labels
from msm4sr_lite.features.images import open_image

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data_samples" / "photo_clip"
PHOTOS = read_photos(SHIPPED)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return json.loads((FOLDER / "evaluation.json").read_text("utf-8"))


def words() -> list[str]:
    return (FOLDER / "words.txt").read_text("utf-8").splitlines()


def test_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    assert {path.name for path in files} == {
        "LICENSE",
        "README.md",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "words.txt",
    }
    licence = (FOLDER / "LICENSE").read_text("utf-8")
    assert licence.startswith("MIT License")
    assert "Marcus Klasson" in licence


def test_the_dictionary_is_the_labels_of_the_photographs() -> None:
    labels, _ = read_labels(SHIPPED, ["product", "kind", "group"])
    assert words() == list(dict.fromkeys(chain(*label_words(labels).values())))


def test_the_auto_classes_find_keywords_as_the_library_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model, processor = (c.from_pretrained(FOLDER) for c in (AutoModel, AutoProcessor))
    images = [open_image(SHIPPED, photo.image) for photo in PHOTOS[::25]]
    captions = [f"a photo of a {word}" for word in words()]
    batch = processor(
        text=captions, images=images, padding=True, truncation=True, return_tensors="pt"
    )
    with torch.inference_mode():
        order = model.eval()(**batch).logits_per_image.argsort(descending=True)
    found = [[words()[k] for k in row[:TOP]] for row in order.tolist()]
    library = KeywordTokenizer(str(FOLDER), words()).keywords(images, TOP)
    assert found == [[keyword.word for keyword in row] for row in library]


def test_the_shipped_photographs_have_the_precision_of_the_evaluation(
    report: dict[str, Any],
) -> None:
    again = photo_precision(FOLDER, SHIPPED, PHOTOS)
    for name, value in report["shipped"].items():
        assert again[name] == pytest.approx(value, abs=0.011), name  # two of 200 photographs


def test_shipped_photographs_are_about_as_easy_as_all_held_out_ones(
    report: dict[str, Any],
) -> None:
    """Three standard errors of a share of 200 photographs."""
    for name in ("right_product", "right_kind"):
        share = report["held_out"][name]
        error = (share * (1 - share) / len(PHOTOS)) ** 0.5
        assert report["shipped"][name] == pytest.approx(share, abs=3 * error)
    assert report["held_out"]["right_product"] > 0.45  # guessing: 0.02


def test_every_figure_of_the_card_is_that_of_the_evaluation(report: dict[str, Any]) -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    rows = {cells[0]: cells[1:] for cells in table_rows(card)}
    for part, name in (("held_out", "all held-out"), ("shipped", "shipped")):
        for measure in ("precision", "best_possible", "recall"):
            label = f"{measure.replace('_', ' ')}, {name}"
            assert rows.pop(label) == [f"{value:.3f}" for value in report[part][measure]]
    seeds = [{**report["held_out"], **report}, *report["other_seeds"]]
    for one in seeds:
        shown = [f"{one[name]:.3f}" for name in ("right_product", "right_kind")]
        shown += [f"{one['precision'][k]:.3f}" for k in (0, 1, 2)]
        assert rows.pop(f"seed {one['seed']}") == [*shown, str(one["best_epoch"])]
    for name in ("right_product", "right_kind", "distractors"):
        values = [f"{100 * report[part][name]:.1f} %" for part in ("held_out", "shipped")]
        assert rows.pop(name.replace("_", " ")) == values
    assert all(label.startswith(("N", "seed", "share")) for label in rows)
    text = " ".join(card.split())
    weights = sum(p.numel() for p in AutoModel.from_pretrained(FOLDER).parameters())
    assert report["weights"] == weights
    height, width = report["image_size"]
    share, images = (report["held_out"][name] for name in ("right_product", "images"))
    error = 1.96 * (share * (1 - share) / images) ** 0.5
    for phrase in (
        f"all {images:,} photographs",
        f"are the {report['shipped']['images']} of them",
        f"right product is {100 * (share - error):.1f} % to {100 * (share + error):.1f} %",
        f"is first in {100 * report['validation']['first_of_column']['product']:.1f} %",
        f"{weights:,} weights",
        f"{report['training_images']:,} photographs trained it",
        f"{report['validation']['images']} selected the epoch",
        f"{report['words']} words",
        f"{report['minutes']} processor minutes",
        f"epoch {report['best_epoch']} of {report['epochs']}",
        f"{height} x {width} pixels",
        f"torch {report['versions']['torch']}",
    ):
        assert phrase in text, phrase


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of each table row, without the lines below the headings."""
    lines = re.findall(r"^\|(.*)\|$", text, re.M)
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row in rows if not set("".join(row)) <= set("-: ")]
