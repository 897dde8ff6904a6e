"""What the page says of a change: arrows, announcements, and words for screen readers."""

from __future__ import annotations

import re
from typing import Any

import stored_models
from chromium import MARKS
from live_page import titles

pytestmark = MARKS


def arrows(page: Any) -> list[str]:
    return page.locator("#score-rows .moved").all_inner_texts()


def test_ranks_are_compared_within_one_user_and_stay_until_they_change(page: Any) -> None:
    page.locator("#mixup-rows .swap").nth(1).click()
    page.select_option("#user", "3")
    assert {*arrows(page)} == {""}
    page.locator("#mixup-rows .swap").nth(1).click()
    after = arrows(page)
    assert {*after} != {""}
    page.locator("#history-rows .pick").first.click()
    page.locator("#attention-heads button").first.click()
    assert arrows(page) == after
    for arrow, pick in zip(after, page.locator("#score-rows .pick").all(), strict=True):
        said = {"▲": "ranks gained: ", "▼": "ranks lost: "}.get(arrow[:1], "") + arrow.strip("▲▼")
        assert f"; {said}" in pick.get_attribute("aria-label") or not arrow
    page.click("#start-tour")
    for _ in range(8):  # step 6 swaps positions, the others do not: no rank has moved
        page.click("#tour-next")
    assert {*arrows(page)} == {""}
    page.click("#tour-close")
    assert {*arrows(page)} == {""}


def test_the_page_says_what_each_stage_of_training_did(page: Any) -> None:
    for name, recall in stored_models.DATA["made_by"]["recall@20"].items():
        kind, _, stage = name.rpartition("_")
        page.evaluate(
            "([stage, withMixup]) => explainer.actions.set({ stage, withMixup })",
            [stage, kind != "plain"],
        )
        note = page.inner_text("#model-note")
        assert note.endswith(f" {100 * recall:.0f} %.")
        wanted = {
            "start": "the rest starts at random",
            "pretrained": "InfoNCE",
            "finetuned": "ID embedding",
        }
        assert wanted[stage] in note
        assert ("and mixup" in note) == (name == "mixup_pretrained")


def test_only_what_changed_is_announced(page: Any) -> None:
    page.locator("#mixup-rows .swap").nth(1).click()
    page.evaluate("""() => {
      globalThis.said = [];
      new MutationObserver(() => said.push(document.querySelector("#live").textContent))
        .observe(document.querySelector("#live"), { childList: true });
    }""")
    for tau in ("-1", "-0.5", "0"):
        page.locator("#temperature").fill(tau)
    page.locator("#history-rows .pick").first.click()
    assert page.evaluate("said") == []
    page.locator("#history-rows .pick").last.click()
    page.locator("[aria-label^=Remove]").click()
    page.select_option("#user", "3")
    page.wait_for_timeout(50)
    removed, other_user = page.evaluate("said")
    assert re.search(r"\d of 10 are new", removed)
    assert "new" not in other_user
    page.evaluate("said.length = 0")
    page.select_option("#user", "")
    page.wait_for_timeout(50)
    assert page.evaluate("said") == ["The history is empty: no recommendation."]


def test_an_explained_item_outside_the_top_ten_has_a_marked_row(page: Any) -> None:
    item = page.evaluate("explainer.computer.view(explainer.state).ranking[20]")
    page.evaluate(f"explainer.actions.set({{ focus: {item} }})")
    assert len(titles(page, "#score-rows")) == 11
    chosen = page.locator("#score-rows .chosen")
    assert chosen.locator(".title").inner_text() == page.inner_text("#explained")
    assert chosen.locator(".rank").inner_text().startswith("21")


def test_a_full_history_offers_no_items(page: Any) -> None:
    shelf = page.locator("#shelf-items button")
    for wanted in ["false"] * 4 + ["true"]:
        assert {shelf.nth(k).get_attribute("aria-disabled") for k in (0, 59)} == {wanted}
        shelf.first.click(force=True)
    assert len(titles(page, "#history-rows")) == 9


def test_draw_again_is_offered_where_it_changes_something(page: Any) -> None:
    for probability, useful in (("0", False), ("0.5", True), ("1", False)):
        page.locator("#probability").fill(probability)
        assert page.locator("#again").is_enabled() == useful


def test_what_is_rounded_to_zero_has_neither_sign_nor_colour(page: Any) -> None:
    zeros = 0
    for k in range(len(titles(page, "#history-rows"))):
        page.locator("#history-rows .pick").nth(k).click()
        page.locator("#drawing[aria-busy=false]").wait_for()
        for effect in page.locator(".effect:has(b)").all():
            shown = effect.locator("b").inner_text()
            kinds = {*effect.get_attribute("class").split()} & {"raises", "lowers"}
            sign = {"+": {"raises"}, "−": {"lowers"}}.get(shown[0], set())
            assert kinds == sign
            if float(shown.strip("+−")) == 0:
                zeros += 1
                assert not sign
    assert zeros


def test_the_keyboard_reaches_the_exact_numbers(page: Any) -> None:
    wanted = {
        "#mixup-rows .swap": r"zt, 64 numbers: .*\nzv, 64 numbers: ",
        "#attention-heads button": r"text: 0\.\d{4}, .*image: 0\.\d{4}",
        "#states .strip": r"ht of the last position, 64 numbers",
        "#item-card .strip": r"e of the text, 64 numbers",
    }
    for place, text in wanted.items():
        page.keyboard.press("Shift")
        page.locator(place).first.focus()
        assert re.search(text, page.inner_text("#tip")), place


def test_the_page_explains_its_terms(page: Any) -> None:
    text = page.inner_text("body")
    for said in (
        *("Multimodal Mixup Sequence Encoder", "CLIP, a model of images and words"),
        *("Softmax turns numbers", "cos is the cosine", "with b = 1 where swapped"),
        *(
            "The causal mask hides later positions",
            "Attention pooling: e = ",
            "Mixture of experts (MoE): z = ",
            "▲ and ▼: ranks gained and lost",
            "2.1 is layer 2, head 1",
            "little colour is negative",
            "√32",
            "the Transformer’s outputs",
        ),
    ):
        assert said in text
    assert not re.search(r"\b(null|undefined|NaN|false)\b", text)


def test_numbers_are_read_with_a_word(page: Any) -> None:
    page.locator("#temperature").fill("-1")
    assert page.locator("#temperature").get_attribute("aria-valuetext") == "0.10"
    page.locator("#probability").fill("0.5")
    assert re.fullmatch(
        r"0\.50, \d of 5 swapped", page.locator("#probability").get_attribute("aria-valuetext")
    )
    assert "effect" in page.locator("#history-rows .pick").first.inner_text()
    assert "weight" in page.locator("#item-card .slot").first.inner_text()
    assert (
        page.locator("#item-card .caption.text").aria_snapshot() == '- paragraph: "Text: sentences"'
    )
