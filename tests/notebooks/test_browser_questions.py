"""Predictions and quizzes in JupyterLab: by keyboard, on a telephone's width, with names."""

from __future__ import annotations

import json
from pathlib import Path

from chromium import MARKS

from tests.notebooks.test_browser import SHOTS, browser, lab, run_in_lab, shoot_whole, sync_api

__all__ = ["browser", "lab"]  # fixtures
pytestmark = MARKS


def stored(lab: tuple[str, Path]) -> dict[str, dict[str, dict[str, object]]]:
    """Return what the student has done."""
    path = lab[1].parents[1] / "work" / "progress.json"
    found: dict[str, dict[str, dict[str, object]]] = json.loads(path.read_text("utf-8"))
    return found


def test_predictions_and_a_quiz_by_keyboard(
    lab: tuple[str, Path],
    browser: sync_api.Browser,
) -> None:
    master = Path(__file__).parent / "browser" / "98_questions.py"
    shown = run_in_lab(lab, browser, master)
    page, status = shown.page, shown.page.locator("[role=status]")
    box = page.get_by_label("Your prediction (0 to 100 %)")
    box.fill('<img src=x onerror="alert(1)">')
    box.press("Enter")
    page.get_by_text("Please enter a number from 0 to 100 %").wait_for()
    box.fill("41,5")
    box.press("Tab")
    page.get_by_text("Stored: 41.5 %").wait_for()
    page.get_by_label("the text").focus()
    page.get_by_label("the text").press("Space")
    page.get_by_text("Stored: the text.").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_text("Stored: the image.").wait_for()
    for place, name in enumerate(("ItemKNN", "M²SE", "popularity"), 1):
        page.get_by_label(f"Place {place}").select_option(name)
    page.get_by_text("Stored: ItemKNN, M²SE, popularity.").wait_for()
    page.get_by_label("It ignores it.").press("Space")
    assert status.filter(has_text="Right").count() == 0
    page.get_by_role("button", name="Answer question 1").press("Enter")
    status.filter(has_text="Its share is 0.").wait_for()
    assert len(stored(lab)["predictions"]) == 3
    assert stored(lab)["quizzes"]["98.1"]["score"] == "right"
    shoot_whole(page, SHOTS / "98_questions.png")
    page.set_viewport_size({"width": 390, "height": 3000})
    page.wait_for_timeout(500)
    page.screenshot(path=SHOTS / "98_questions_narrow.png")
    frame = page.locator(".msm4sr-question").first.bounding_box()
    entered = box.bounding_box()
    assert frame
    assert entered
    assert entered["x"] + entered["width"] <= frame["x"] + frame["width"]
    assert entered["width"] > 50
    page.set_viewport_size({"width": 1280, "height": 900})
    shown.run()
    page.get_by_text("You said 41.5 %; it is 44 %. Right.").wait_for()
    page.get_by_text("Your predictions so far: 2 of 3 right.").wait_for()
    scores = [entry["score"] for entry in stored(lab)["predictions"].values()]
    assert scores == ["right", "right", "near"]
    shoot_whole(page, SHOTS / "98_questions_revealed.png")
    shown.check_and_close()
