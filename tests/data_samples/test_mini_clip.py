"""The committed small CLIP: an ordinary folder whose keywords are true."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoProcessor, AutoTokenizer

from data_samples.make.keyword_precision import held_out_images, keyword_precision, score
from data_samples.make.labels import DISTRACTORS, WORDS
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data_samples" / "mini_clip"
VIEWS = ("view_0", "all_views")


@pytest.fixture(scope="module")
def clip() -> KeywordTokenizer:
    return KeywordTokenizer(str(FOLDER), [*WORDS, *DISTRACTORS])


def test_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    # words.txt is the dictionary that the sample's keywords are chosen from.
    assert {path.name for path in files} - {"words.txt", "LICENSE"} == {
        "README.md",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_loads_by_the_auto_classes_without_a_network(monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = AutoModel.from_pretrained(FOLDER)
    tokenizer, processor = (
        AutoTokenizer.from_pretrained(FOLDER),
        AutoProcessor.from_pretrained(FOLDER),
    )
    assert type(model).__name__ == "CLIPModel"
    assert type(processor).__name__ == "CLIPProcessor"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert AutoImageProcessor.from_pretrained(FOLDER, backend="pil").size == {"shortest_edge": 96}
    _, image = held_out_images(1, view=0, seed=1)[0]
    batch = processor(
        text=["a mug", "tall"], images=image, return_tensors="pt", padding=True, truncation=True
    )
    assert batch["pixel_values"].shape == (1, 3, 96, 96)
    assert model(**batch).logits_per_image.shape == (1, 2)
    assert model.config.text_config.eos_token_id == tokenizer.eos_token_id != 2


def test_text_is_read_at_the_end_whatever_the_padding(clip: KeywordTokenizer) -> None:
    def embeddings(texts: list[str]) -> torch.Tensor:
        tokens = clip.tokenizer(texts, padding=True, return_tensors="pt")
        return clip.model.get_text_features(**tokens).pooler_output

    with torch.inference_mode():
        alone, padded = (
            embeddings(["tall"]),
            embeddings(["tall", "a photo of a tall striped blue mug"]),
        )
    torch.testing.assert_close(alone[0], padded[0], atol=1e-5, rtol=1e-4)


def test_keywords_of_fresh_images_are_true(clip: KeywordTokenizer) -> None:
    answers = []
    for view in range(3):
        pairs = held_out_images(16, view, seed=99)
        top = clip.keywords([image for _, image in pairs], 5)
        answers += [
            (look, [k.word for k in best]) for (look, _), best in zip(pairs, top, strict=True)
        ]
    result = score(answers)
    assert result["recall"]["product"] > 0.85
    assert result["recall"]["colour"] > 0.85
    assert result["top5_precision"] > 0.8
    assert result["distractors"] < 0.05


def test_same_image_same_embedding(clip: KeywordTokenizer) -> None:
    images = [image for _, image in held_out_images(4, view=1, seed=5)]
    first, second = clip.image_embeddings(images), clip.image_embeddings(images)
    assert torch.equal(first, second)
    torch.testing.assert_close(clip.image_embeddings(images[:1]), first[:1])


def test_the_card_gives_the_figures_of_the_evaluation() -> None:
    report = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, value in (
        ("true words among the five", [report[v]["top5_precision"] for v in VIEWS]),
        ("product among the five", [report[v]["recall"]["product"] for v in VIEWS]),
        ("pattern words that are true", [report[v]["precision"]["pattern"] for v in VIEWS]),
    ):
        assert f"| {name} | {value[0]:.1%} | {value[1]:.1%} |".replace("%", " %") in card
    weights = sum(p.numel() for p in AutoModel.from_pretrained(FOLDER).parameters())
    assert report["weights"] == weights
    assert f"{weights:,} weights" in card


def test_evaluation_can_be_repeated() -> None:
    report = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    again = keyword_precision(FOLDER, count=60)
    for view in VIEWS:
        # 60 instead of 600 images a view: three standard errors of a share near 0.9.
        assert again[view]["top5_precision"] == pytest.approx(
            report[view]["top5_precision"], abs=0.06
        )


def test_train_clip_reaches_the_precision_of_the_committed_model() -> None:
    report = json.loads((ROOT / "docs/results/train_clip_drawings.json").read_text("utf-8"))
    committed = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    for view in VIEWS:
        found, known = report[view]["top5_precision"], committed[view]["top5_precision"]
        assert found == pytest.approx(known, abs=0.01)


def test_the_figures_of_train_clip_are_those_of_its_report() -> None:
    report = json.loads((ROOT / "docs/results/train_clip_drawings.json").read_text("utf-8"))
    text = (ROOT / "docs/train_clip.md").read_text("utf-8")
    for name, value in (
        ("true words among the five", [report[v]["top5_precision"] for v in VIEWS]),
        ("best possible", [report[v]["best_possible"] for v in VIEWS]),
        ("product among the five", [report[v]["recall"]["product"] for v in VIEWS]),
        ("colour among the five", [report[v]["recall"]["colour"] for v in VIEWS]),
        ("pattern among the five", [report[v]["recall"]["pattern"] for v in VIEWS]),
        ("shape among the five", [report[v]["recall"]["shape"] for v in VIEWS]),
        ("distractors among the five", [report[v]["distractors"] for v in VIEWS]),
    ):
        assert f"| {name} | {value[0]:.1%} | {value[1]:.1%} |".replace("%", " %") in text
    commands = " ".join(text.replace("\\\n", " ").split())
    assert all(command in commands for command in report["made_by"])
