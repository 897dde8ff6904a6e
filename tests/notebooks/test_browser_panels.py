"""Pictures, maps and the shop window are tapped, dragged and typed at in a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from chromium import MARKS
from course.masters import read_master
from course.notebooks import find_masters
from course.session import ROOT

from tests.notebooks.test_browser import SHOTS, browser, lab, run_in_lab, sync_api

__all__ = ["browser", "lab"]  # fixtures
pytestmark = MARKS

FOLDER = Path(__file__).parent / "browser"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
WINDOW = ".msm4sr-window"


def find_demo() -> Path:
    return next(path for path in find_masters(ROOT) if path.name.startswith("11_"))


def shoot(page: sync_api.Page, part: sync_api.Locator, name: str) -> None:
    """Picture a part of the page as a whole, at the width of the window."""
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": 3200})  # a notebook clips the rest
    page.wait_for_timeout(500)
    SHOTS.mkdir(parents=True, exist_ok=True)
    part.screenshot(path=SHOTS / name)
    page.set_viewport_size(size)


def is_tall(element: sync_api.Locator) -> bool:
    box = element.bounding_box()
    return box is not None and min(box["height"], box["width"]) >= 43


def test_a_picture_is_tapped_and_a_slider_redraws_while_it_is_dragged(
    lab: tuple[str, Path], browser: sync_api.Browser
) -> None:
    shown = run_in_lab(lab, browser, FOLDER / "98_pictures.py", has_touch=True)
    page, (panel,) = shown.page, shown.panels().all()
    says, pictures = panel.locator(".says"), panel.get_by_role("radio")
    assert pictures.count() == 24
    assert all(is_tall(picture) for picture in pictures.all())
    assert (
        not panel.get_by_label("item", exact=True)
        .locator("visible=true")
        .filter(has=page.locator("option"))
        .count()
    )  # the list is for front ends without the grid

    start = says.inner_text()
    pictures.nth(5).tap()
    name = str(pictures.nth(5).get_attribute("aria-label"))
    sync_api.expect(says).to_have_text(f"{name} 10")
    assert says.inner_text() != start
    sync_api.expect(pictures.nth(5)).to_have_attribute("aria-checked", "true")
    assert panel.locator("[role=radio][aria-checked=true]").count() == 1
    pictures.nth(5).press("ArrowRight")
    sync_api.expect(pictures.nth(6)).to_be_focused()
    sync_api.expect(says).to_have_text(f"{name} 10")  # only Enter chooses
    pictures.nth(6).press("Enter")
    chosen = str(pictures.nth(6).get_attribute("aria-label"))
    sync_api.expect(says).to_have_text(f"{chosen} 10")
    pictures.nth(6).press("ArrowDown")
    sync_api.expect(pictures.nth(6)).not_to_be_focused()

    handle = panel.locator(".noUi-handle")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hit = "([x, y]) => !!document.elementFromPoint(x, y)?.closest('.noUi-handle')"
    assert all(page.evaluate(hit, [x, y + shift]) for shift in (-20, 20))  # room for a finger
    page.mouse.move(x, y)
    page.mouse.down()
    seen = set()
    for step in range(1, 9):
        page.mouse.move(x + 20 * step, y)
        page.wait_for_timeout(120)
        seen.add(says.inner_text())
    assert len(seen) >= 4, seen  # before the button is released
    page.mouse.up()
    shoot(page, panel, "98_pictures.png")
    shown.check_and_close()


def test_the_map_explorer(lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    """A point is clicked, one is reached by keys; run again, there is one panel."""
    shown = run_in_lab(lab, browser, FOLDER / "98_map.py")
    shown.run()
    page, (panel,) = shown.page, shown.panels().all()
    drawing = panel.locator("svg[role=radiogroup]")
    titles = drawing.locator("title").all_text_contents()
    assert len(titles) == 24
    assert '<img src=x onerror="alert(1)"> (i1): red, <b>round' in titles
    assert drawing.locator("circle[r='7']").count() == 5
    assert "Of those of i3 Thing 3" in str(drawing.get_attribute("aria-label"))

    point = panel.locator("path[data-tap='i7 Thing 7']")
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2)
    panel.locator("svg[aria-label*='Of those of i7 Thing 7']").wait_for(timeout=10_000)
    assert panel.locator("figure div[data-tap]", has_text="chosen").count() == 1
    assert panel.get_by_text("neighbour 5: rank").count() == 1
    assert panel.locator("option:checked", has_text="i7 Thing 7").count() == 1
    point.press("ArrowLeft")
    reached = page.evaluate("document.activeElement.dataset.tap")
    assert reached != "i7 Thing 7"
    page.keyboard.press("Enter")
    panel.locator(f"svg[aria-label*='Of those of {reached}']").wait_for(timeout=10_000)
    assert page.evaluate("document.activeElement.dataset.tap") == reached  # where one was

    panel.get_by_label("item", exact=True).select_option(label="i0 Thing 0")
    panel.locator("svg[aria-label*='Of those of i0 Thing 0']").wait_for(timeout=10_000)
    panel.get_by_label("seed", exact=True).select_option(label="1")
    panel.locator("svg[aria-label^='n_neighbors 4, seed 1']").wait_for(timeout=10_000)
    panel.get_by_label("marked by", exact=True).select_option(label="neighbours kept")
    panel.get_by_text("more than 2").first.wait_for(timeout=10_000)
    shoot(page, panel, "98_map_explorer.png")
    shown.check_and_close()  # no complaint, such as a picture "x" that a title had asked for


def test_the_live_page_runs_below_a_cell(lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    shown = run_in_lab(lab, browser, FOLDER / "98_live_page.py")
    frame = shown.page.locator(".jp-OutputArea-output iframe")
    frame.scroll_into_view_if_needed()
    inside = frame.content_frame
    titles = inside.locator("#score-rows .title")
    sync_api.expect(titles).to_have_count(10)
    before = titles.all_inner_texts()
    inside.locator("#user").select_option(index=3)
    sync_api.expect(titles.first).to_be_visible()
    shown.page.wait_for_timeout(500)
    assert titles.all_inner_texts() != before
    shoot(shown.page, frame, "98_live_page.png")
    shown.check_and_close()


@pytest.mark.parametrize("device", ["screen", "phone"])
def test_the_shop_window(device: str, lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    options = PHONE if device == "phone" else {"has_touch": True}
    shown = run_in_lab(lab, browser, find_demo(), **options)
    shown.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    play(shown.page, f"11_window_{device}")
    shown.check_and_close()


def test_the_demo_is_a_page_of_its_own_under_voila(
    browser: sync_api.Browser, tmp_path: Path
) -> None:
    """Two visitors at once, one on a dark page; neither sees what the other does."""
    pytest.importorskip("voila", reason="Voila is not installed")
    nbformat.write(read_master(find_demo()), tmp_path / "demo.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MSM4SR_WORK")
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "notebooks"))
    environment |= {name: str(tmp_path / name) for name in places}
    environment.pop("MSM4SR_STATIC", None)
    command = [sys.executable, "-m", "voila", "demo.ipynb", "--no-browser", f"--port={port}"]
    command += ["--Voila.ip=127.0.0.1"]
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(240):
            assert server.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        pages = []
        for theme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 900}, has_touch=True)
            page.goto(f"http://127.0.0.1:{port}/?theme={theme}", timeout=180_000)
            pages.append(page)
        for page, theme in zip(pages, ("light", "dark"), strict=True):
            play(page, f"11_window_voila_{theme}")
            assert "import " not in page.locator("body").inner_text()  # no code
        for page in pages:
            page.close()
    finally:
        server.terminate()
        server.wait(30)


def play(page: sync_api.Page, shot: str) -> None:
    """Change the first history with every kind of control of the shop window on the page."""
    parts = page.locator(WINDOW)
    parts.nth(2).wait_for(timeout=180_000)
    above, shelf, offers = parts.nth(0), parts.nth(1), parts.nth(2)
    seconds = []

    def cards() -> list[str]:
        return above.locator(".card .name").all_inner_texts()

    def act(do: Callable[[], object], part: sync_api.Locator) -> None:
        before = part.inner_html()
        start = time.perf_counter()
        do()
        page.wait_for_function(
            "([part, before]) => part.isConnected === false || part.innerHTML !== before",
            arg=[part.element_handle(), before],
        )
        seconds.append(time.perf_counter() - start)
        assert "No offers can be made" not in offers.inner_text()

    def button(name: str, within: sync_api.Locator) -> sync_api.Locator:
        return within.get_by_role("button", name=name, exact=True)

    assert len(cards()) == 6
    for control in page.locator(f"{WINDOW} :is(button, select)").all():
        assert is_tall(control)
        assert control.get_attribute("aria-label")
    shoot(page, page.locator(".msm4sr-shop"), f"{shot}.png")

    last = cards()[5][3:]
    act(button(f"Move earlier: 6. {last}", above).tap, above)
    assert cards()[4] == f"5. {last}"
    act(lambda: button(f"Move later: 5. {last}", above).press("Enter"), above)
    assert cards()[5] == f"6. {last}"
    box = above.get_by_label(f"The model reads of 6. {last}", exact=True)
    act(lambda: box.select_option("exchanged"), above)
    assert above.locator(".card.exchanged").count() == 1
    act(lambda: above.get_by_label("read of all items").select_option("exchanged"), above)
    assert above.locator(".card.exchanged").count() == 6
    assert "of 10 as when text and picture of all items are read" in offers.inner_text()
    act(lambda: above.get_by_label("read of all items").select_option("image"), above)
    act(button(f"Remove: 6. {last}", above).tap, above)
    assert len(cards()) == 5
    assert page.evaluate("document.activeElement.dataset.tap || ''")  # focus stays in the window

    act(lambda: shelf.get_by_label("shelf").select_option("clock"), shelf)
    tile = shelf.locator("button").nth(1)
    name = str(tile.get_attribute("aria-label")).removeprefix("Add ")
    act(tile.tap, above)
    assert cards()[5] == f"6. {name}"
    act(lambda: offers.get_by_label("second model").select_option(index=2), offers)
    assert offers.locator(".offers").count() == 2
    assert "in both" in offers.inner_text()
    assert "users also chose" in offers.inner_text()
    shoot(page, page.locator(".msm4sr-shop"), f"{shot}_compare.png")
    offered = offers.locator(".offers button").first
    name = str(offered.get_attribute("aria-label")).removeprefix("Add ")
    act(offered.tap, above)
    assert cards()[6] == f"7. {name}"
    assert all(image.get_attribute("alt") is not None for image in parts.locator("img").all())
    act(lambda: above.get_by_label("start with").select_option("an empty history"), above)
    assert "The history is empty" in offers.inner_text()
    act(shelf.locator("button").first.tap, above)
    assert len(cards()) == 1
    assert sorted(seconds)[len(seconds) // 2] < 1, seconds  # browser and kernel together
