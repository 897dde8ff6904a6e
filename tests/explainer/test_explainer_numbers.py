"""What a visitor reads in the page equals PyTorch with the stored weights."""

from __future__ import annotations

import re
from typing import Any

import pytest
import stored_models
import torch
from chromium import MARKS
from live_page import titles
from torch import Tensor

from msm4sr_lite.losses import false_negatives, next_item_loss
from msm4sr_lite.similarity import cosine_scores

pytestmark = MARKS
ITEMS, USERS = stored_models.DATA["items"], stored_models.DATA["users"]
NAME = "mixup_finetuned"  # the model that the page opens with
TAU = 0.07


def number(text: str) -> float:
    """Return the first number of a text; the page writes a true minus sign."""
    return float(re.findall(r"[+-]?\d+(?:\.\d+)?", text.replace("−", "-"))[0])


def totals(history: list[Any], name: str = NAME) -> Tensor:
    text, image = stored_models.score(stored_models.load(name), history).values()
    return text + image


def ranked(history: list[Any]) -> list[int]:
    seen = {one["item"] for one in history}
    order = totals(history).argsort(descending=True, stable=True).tolist()
    return [item for item in order if item not in seen]


@pytest.mark.parametrize("user", range(3))
def test_ranks_verdict_and_scores(page: Any, user: int) -> None:
    page.select_option("#user", str(user))
    history = stored_models.known_history(user)
    order = ranked(history)
    assert titles(page, "#score-rows")[0].removeprefix("★ ") == ITEMS[order[0]]["title"]
    shown = [title.removeprefix("★ ") for title in titles(page, "#score-rows")]
    assert shown == [ITEMS[item]["title"] for item in order[:10]]
    rank = order.index(USERS[user]["history"][-1]) + 1
    assert f"rank {rank} of {len(order)} " in page.inner_text("#verdict")
    wanted = stored_models.score(stored_models.load(NAME), history)
    for k, line in enumerate(page.locator("#score-rows .pick").all()):
        tip = re.findall(r"= (\S+?),? ?(?=cos|$)", line.get_attribute("data-tip"))
        assert [number(one) for one in tip] == pytest.approx(
            [wanted[m][order[k]].item() for m in ("text", "image")], abs=2e-4
        )
        total = number(line.locator(".numbers b").inner_text())
        assert total == pytest.approx(totals(history)[order[k]].item(), abs=0.006)


def test_effects_of_the_interactions_on_the_explained_item(page: Any) -> None:
    """The explained item is the first recommendation, then the one that is pressed."""
    history = stored_models.known_history(0)
    order = ranked(history)
    for place in (0, 4):
        page.locator("#score-rows .pick").nth(place).click()
        assert page.inner_text("#explained") == ITEMS[order[place]]["title"]
        before = totals(history)[order[place]]
        for k, row in enumerate(page.locator("#history-rows .row").all()):
            wanted = (before - totals(history[:k] + history[k + 1 :])[order[place]]).item()
            effect = row.locator(".effect b").inner_text()
            assert number(effect) == pytest.approx(wanted, abs=0.006)
            tip = row.locator(".effect").get_attribute("data-tip")
            assert ("falls" in tip) == (wanted > 0)
            assert number(tip) == pytest.approx(abs(wanted), abs=6e-4)


def test_pooling_weights_and_gates(page: Any) -> None:
    history = stored_models.known_history(0)
    model = stored_models.load(NAME)
    item = history[-1]["item"]
    first = sum(len(one["sentences"]) for one in ITEMS[:item])
    words = [stored_models.DATA["words"].index(word) for word in history[-1]["words"]]
    stored = stored_models.STORED
    sentences = stored["sentences"][first : first + len(ITEMS[item]["sentences"])]
    for modality, slots in (("text", sentences), ("image", stored["words"][words])):
        with torch.no_grad():
            mask = torch.ones(1, len(slots), dtype=torch.bool)
            e, alpha = model.pool[modality](slots.float()[None], mask)
            gate = model.adapt[modality].gate(e).softmax(-1)[0].tolist()
        weights = page.locator(f"#item-card .slots.{modality} .weight").all_inner_texts()
        assert [number(one) for one in weights] == [round(100 * a) for a in alpha[0].tolist()]
        said = page.locator(f".gate.{modality}").get_attribute("aria-label")
        shares = [int(one) for one in re.findall(r": (\d+) %", said)]
        assert shares == pytest.approx([100 * share for share in gate], abs=0.51)


@torch.no_grad()
def attention_weights(history: list[Any], modality: str) -> Tensor:
    """Return the weights of the first layer at the last position, as (heads, positions)."""
    model = stored_models.load(NAME)
    mixed = stored_models.encode(model, history)[modality]["mixed"]
    transformer: Any = model.transformer
    x = transformer.norm(mixed + transformer.position.weight[: mixed.shape[1]])
    block = transformer.blocks[0]
    query, key, _ = block.qkv(x).unflatten(-1, (3, block.heads, -1)).permute(2, 0, 3, 1, 4)
    return (query[0, :, -1:] @ key[0].mT / key.shape[-1] ** 0.5).softmax(-1)[:, 0]


def test_the_area_of_a_dot_is_its_attention_weight(page: Any) -> None:
    history = stored_models.known_history(0)
    for modality in ("text", "image"):
        wanted = attention_weights(history, modality).flatten().tolist()
        dots = page.locator(f"#attention-map circle.{modality}:not([r='5'])")
        radii = [float(dot.get_attribute("r")) for dot in dots.all()[: len(wanted)]]
        assert [(r / 10) ** 2 for r in radii] == pytest.approx(wanted, abs=1e-3)


def test_a_swap_crosses_the_lines_and_changes_the_scores(page: Any) -> None:
    """The blue line starts at the upper lane; swapped, it ends at the lower one."""
    ends = "path => [path.getPointAtLength(0).y, path.getPointAtLength(path.getTotalLength()).y]"
    history = stored_models.known_history(0)
    for swapped in (False, True):
        for modality, lanes in (("text", [18, 40]), ("image", [40, 18])):
            path = page.locator("#mixup-rows .swap").nth(1).locator(f"path.{modality}")
            assert path.evaluate(ends) == (lanes if swapped else [lanes[0]] * 2)
        history[1]["swapped"] = swapped
        best = page.locator("#score-rows .numbers b").first.inner_text()
        assert number(best) == pytest.approx(totals(history)[ranked(history)[0]].item(), abs=0.006)
        page.locator("#mixup-rows .swap").nth(1).click()


def test_the_arrow_of_a_rank_points_up_for_a_better_one(page: Any) -> None:
    history = stored_models.known_history(0)
    before = ranked(history)
    page.locator("#mixup-rows .swap").nth(1).click()
    history[1]["swapped"] = True
    wanted = []
    for rank, item in enumerate(ranked(history)[:10]):
        old = before.index(item)
        arrow = f"▲{old - rank}" if old > rank else f"▼{rank - old}"
        wanted.append("new" if old > 9 else "" if old == rank else arrow)
    assert page.locator("#score-rows .moved").all_inner_texts() == wanted
    assert {one[:1] for one in wanted} >= {"▲", "▼"}


@pytest.mark.parametrize("modality", ["text", "image"])
def test_the_loss_and_the_shares_of_the_batch(page: Any, modality: str) -> None:
    page.locator("[name=stage][value=pretrained]").check()
    page.locator(f"[name=pairs][value={modality}]").check()
    model = stored_models.load("mixup_pretrained")
    histories = [stored_models.known_history(user) for user in range(len(USERS))]
    targets = torch.tensor([history[-1]["item"] for history in histories])
    found = [stored_models.encode(model, history[:-1])[modality] for history in histories]
    h = torch.stack([one["h"][-1] for one in found])
    z = found[0]["z"][targets]
    masked = false_negatives(targets, torch.arange(len(USERS)), same_user=False)
    loss = next_item_loss(h, z, masked, temperature=TAU).item()
    assert number(page.inner_text("#loss")) == pytest.approx(loss, abs=1.1e-3)
    off = masked & ~torch.eye(len(USERS), dtype=torch.bool)
    shares = (cosine_scores(h, z) / TAU).masked_fill(off, -torch.inf).softmax(-1)
    for i, row in enumerate(page.locator("#batch tbody tr").all()):
        for j, shown in enumerate(row.locator("td").all_inner_texts()):
            assert (shown == "×") == bool(off[i, j])
            assert shown == "×" or number(shown) == pytest.approx(
                100 * shares[i, j].item(), abs=0.6
            )
