"""What the page says about mixup in words holds for the stored models and the published study."""

from __future__ import annotations

import json
import re
from pathlib import Path

import stored_models
from torch.nn.functional import cosine_similarity

from docs.explainer.build import build_page
from docs.explainer.export import CONFIG

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"


def about_mixup() -> str:
    section = re.search(r'<section id="why".*?</section>', build_page(), re.S)
    assert section
    return re.sub(r"<[^>]+>", "", section[0])


def test_training_and_mixup_bring_both_embeddings_closer() -> None:
    """Both by their cosine, and by how many images are closer to a text than its own is."""
    cosines, closer = [], []
    for name in ("start", "plain_pretrained", "mixup_pretrained"):
        found = stored_models.encode(stored_models.load(name), stored_models.known_history(0))
        text, image = found["text"]["z"], found["image"]["z"]
        table = cosine_similarity(text[:, None], image[None], dim=-1)
        cosines.append(table.diag().mean().item())
        closer.append((table > table.diag()[:, None]).sum(1).float().mean().item())
    assert cosines == sorted(cosines)
    assert closer == sorted(closer, reverse=True)
    text = about_mixup()
    assert "Pre-training alone already brings them closer. Swapping brings them closer" in text


def significant(study: str) -> dict[str, float]:
    """Return the gains by mixup that are significant after Holm's correction."""
    found = json.loads((RESULTS / study / "mixup.json").read_text("utf-8"))
    gains = {of: one["ndcg@10"] for of, one in found["with_minus_without"].items()}
    return {of: gain["value"] for of, gain in gains.items() if gain["p_holm"] < 0.05}


def test_the_study_says_what_the_page_says() -> None:
    sample = significant("corner_shop-home-mixup")
    mixed = "pre-trained, mixed histories: "
    assert {*sample} == {f"{mixed}50%", f"{mixed}100%", "fine-tuned, no image"}
    assert min(sample.values()) > 0
    assert significant("corner_shop-home-mixup-paper") == {}
    assert significant("hm_fashion-5core-mixup") == {}
    text = about_mixup()
    for said in (
        "With the preset paper, no difference on this sample was statistically significant",
        "models with mixup were better when at least half of the positions were swapped",
        "and fine-tuned ones when all images were missing",
        "All its other differences were not significant, nor was any on real data (H&amp;M)",
    ):
        assert said in text


def test_mixup_is_drawn_as_the_page_says() -> None:
    config = CONFIG.pretrain
    assert (config.mixup_draw, config.mixup_per, config.mixup_max) == ("uniform", "batch", 0.5)
    assert config.cmcl_weight < config.nip_weight / 10  # "a small cross-modality loss"
    assert "with probability p, drawn between 0 and 0.5 for each batch" in about_mixup()
