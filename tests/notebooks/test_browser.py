"""Every panel is moved in a real browser: JupyterLab on loopback, driven in a Chromium.

One notebook is opened in Notebook 7 as well: it is made of the same parts.

Nothing outside this machine can be reached by the browser. Screenshots are left in
``build/screenshots``: a person should look at them, for no test sees a cut label.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from chromium import CHROMIUM, MARKS
from course.live_page import TITLE as LIVE_PAGE
from course.masters import read_master
from course.notebooks import find_masters, stored_path
from course.session import ROOT

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = MARKS

TOKEN = "loopback-only"
SHOTS = ROOT / "build" / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Cells that are scrolled out of sight stay in the page, where a test can find them.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
IDLE = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return panel?.context?.isReady && kernel?.status === 'idle';
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
DRAWING = ":is(.msm4sr-drawing .widget-html-content, .msm4sr-taps)"
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr']"  # tracebacks and warnings alike


def notebooks_with_panels() -> list[tuple[Path, int]]:
    """Return masters and how many panels they show: the workbench, then the course's."""
    found = [(Path(__file__).parent / "browser" / "99_workbench.py", 2)]
    for master in find_masters(ROOT):
        if stored_path(master).exists():
            text = stored_path(master).read_text(encoding="utf-8")
            panels = text.count('"[interactive panel]') - text.count(f"panel] {LIVE_PAGE}")
            found += [(master, panels)] if panels else []
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start JupyterLab with settings of its own; give its address and its folder."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "course" / "notebooks"
    folder.mkdir(parents=True)
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "MSM4SR_WORK": "work",
    }
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "notebooks"))
    environment |= {name: str(home / place) for name, place in places.items()}
    environment.pop("MSM4SR_STATIC", None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root", "--expose-app-in-browser"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]  # the same server serves both
    with (home / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(240):
            assert server.poll() is None, (home / "log").read_text(encoding="utf-8")
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address, folder
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def shoot_whole(page: sync_api.Page, path: Path) -> None:
    """Picture the whole notebook: make the window as tall as it is."""
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    height = page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(height + 160, 16_000)})
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    page.set_viewport_size({"width": 1280, "height": 900})


def move(panel: sync_api.Locator) -> float:
    """Move the panel's first slider, or its first list; return seconds until the view changes."""
    view = panel.locator(DRAWING).last
    before = view.inner_html()
    sliders, lists = panel.locator(".noUi-handle"), panel.locator("select:visible")
    if sliders.count():
        slider = sliders.first
        slider.scroll_into_view_if_needed()
        at_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
        slider.focus()
        start = time.perf_counter()
        slider.press("ArrowLeft" if at_end else "ArrowRight")
    else:
        chosen = lists.first.evaluate("list => list.selectedIndex")
        start = time.perf_counter()
        lists.first.select_option(index=0 if chosen else 1)
    panel.page.wait_for_function(
        "([view, before]) => view.innerHTML !== before", arg=[view.element_handle(), before]
    )
    return time.perf_counter() - start


def move_all(panel: sync_api.Locator) -> None:
    """Set each list, each box to tick, each line of text and each picture to another value."""
    for one in panel.locator("select:visible").all():
        chosen, number = one.evaluate("list => [list.selectedIndex, list.options.length]")
        if number > 1:
            one.select_option(index=(chosen + 1) % number)
    for one in panel.locator("input[type=checkbox]:visible").all():
        one.click()
    for one in panel.locator("input[type=number]:visible").all():
        value = float(one.input_value())
        one.fill(f"{value - 1 if value == float(one.get_attribute('max') or 0) else value + 1:g}")
        one.press("Enter")
    for one in panel.locator("input[type=text]:visible").all():
        one.fill("a lamp for rainy days")
        one.press("Enter")
    for group in panel.locator("[role=radiogroup]").all():
        group.locator("[data-tap]").last.click(force=True)


@dataclass
class Shown:
    """A notebook that was opened in the browser and run to its end."""

    page: sync_api.Page
    address: str
    tags: list[str]
    outside: list[str] = field(default_factory=list)  # all requests
    complaints: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Run all cells, once more if they have been run."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function(IDLE, timeout=300_000)

    def panels(self) -> sync_api.Locator:
        """Return the live panels."""
        return self.page.locator(".jp-OutputArea-output :is(.msm4sr-panel, .msm4sr-shop)")

    def check_and_close(self) -> None:
        """See that no error was shown and nothing outside this machine was asked for."""
        assert self.page.locator(ERRORS).count() == self.tags.count("raises-exception")
        assert not self.complaints
        local = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        assert not [url for url in self.outside if not url.startswith(local)]
        self.page.close()


def run_in_lab(
    lab: tuple[str, Path],
    browser: sync_api.Browser,
    master: Path,
    where: str = "lab/tree",
    **options: Any,
) -> Shown:
    """Open the notebook of a master in JupyterLab, or ``where`` else, and run all of its cells."""
    address, folder = lab
    notebook = read_master(master)
    nbformat.write(notebook, folder / f"{master.stem}.ipynb")
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", ())]
    SHOTS.mkdir(parents=True, exist_ok=True)

    page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
    shown = Shown(page, address, tags)
    page.on("request", lambda request: shown.outside.append(request.url))
    page.on(
        "console",
        lambda line: shown.complaints.append(line.text) if line.type == "error" else None,
    )
    page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    page.goto(f"{address}/{where}/{master.stem}.ipynb?reset&token={TOKEN}")
    page.wait_for_function(IDLE, timeout=90_000)
    page.wait_for_load_state("networkidle")  # the part that shows widgets is fetched last
    shown.run()
    return shown


@pytest.mark.parametrize(
    ("master", "expected"),
    [pytest.param(*case, id=case[0].stem) for case in notebooks_with_panels()],
)
def test_panels_move(
    lab: tuple[str, Path], browser: sync_api.Browser, master: Path, expected: int
) -> None:
    shown = run_in_lab(lab, browser, master)
    panels = shown.panels()
    assert panels.count() == expected
    for number, panel in enumerate(panels.all()):
        seconds = move(panel)
        # On two idle cores the slowest takes under a second; other tests run beside this one.
        assert seconds < 6, f"panel {number} took {seconds:.1f} s to redraw"
        move_all(panel)
        shown.page.wait_for_timeout(1000)
        shown.page.wait_for_function(IDLE)
        assert "cannot be drawn" not in panel.inner_text()
        for twin in panel.locator("select, input").all():
            assert twin.evaluate("box => box.ariaLabel || box.labels[0].innerText.trim()")
        panel.screenshot(path=SHOTS / f"{master.stem}_panel{number}.png")
    shoot_whole(shown.page, SHOTS / f"{master.stem}.png")
    shown.check_and_close()


def test_panels_move_in_notebook_7_too(lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    pytest.importorskip("notebook", reason="Notebook 7 is not installed")
    master, expected = next(
        case for case in notebooks_with_panels() if case[0].stem.startswith("04_")
    )
    shown = run_in_lab(lab, browser, master, where="notebooks")
    assert "/notebooks/" in shown.page.url
    panels = shown.panels()
    assert panels.count() == expected > 0
    for panel in panels.all():
        # Its cells take the keyboard away from a slider. The list beside it and the pointer work.
        view, slider = panel.locator(DRAWING).last, panel.locator(".noUi-handle").first
        before, place = view.inner_html(), slider.get_attribute("aria-valuenow")
        panel.locator("select").first.select_option(index=5)
        sync_api.expect(slider).not_to_have_attribute("aria-valuenow", str(place))
        changed = "([view, before]) => view.innerHTML !== before"
        shown.page.wait_for_function(changed, arg=[view.element_handle(), before])
        before = view.inner_html()
        slider.drag_to(panel.locator(".noUi-base").first, target_position={"x": 2, "y": 2})
        shown.page.wait_for_function(changed, arg=[view.element_handle(), before])
    shown.page.screenshot(path=SHOTS / f"{master.stem}_notebook7.png")
    # Notebook 7 complains of itself, with an empty notebook too: of a schema, of a command of the
    # file browser, of fonts that it does not serve to a second visitor. When cells run before it
    # has asked the kernel for its widgets, it complains, asks, and draws them, as seen above.
    own = ("reading 'schema'", "'filebrowser:open-path'", "status of 403", "widget model not found")
    assert "Error displaying widget" not in shown.page.locator("body").inner_text()
    shown.complaints[:] = [c for c in shown.complaints if not any(words in c for words in own)]
    shown.check_and_close()


def test_each_control_of_the_microscope_is_obeyed(
    lab: tuple[str, Path], browser: sync_api.Browser
) -> None:
    shown = run_in_lab(lab, browser, Path(__file__).parent / "browser" / "98_microscope.py")
    (panel,) = shown.panels().all()

    def wait_for(words: str) -> float:
        """Return the seconds until the live figure's alternative text starts with words."""
        start = time.perf_counter()
        panel.locator(f'img[alt^="{words}"]').wait_for(timeout=5_000)
        return time.perf_counter() - start

    wait_for("K = 10, candidates: all items, seen items not filtered")
    panel.get_by_label("candidates").select_option("100 drawn")
    waits = [wait_for("K = 10, candidates: 100 drawn, seen items not filtered")]
    panel.get_by_label("seen items filtered").check()
    waits.append(wait_for("K = 10, candidates: 100 drawn, seen items filtered"))
    panel.get_by_label("K", exact=True).select_option("50")
    waits.append(wait_for("K = 50, candidates: 100 drawn, seen items filtered"))
    assert max(waits) < 2, waits
    panel.screenshot(path=SHOTS / "98_microscope.png")
    shown.check_and_close()


def test_the_cold_item_maker(lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    """Images and texts mix freely, nothing is no item, and what is typed is shown as typed."""
    shown = run_in_lab(lab, browser, Path(__file__).parent / "browser" / "98_cold_items.py")
    (panel,) = shown.panels().all()
    view = panel.locator(DRAWING)
    image, text = panel.locator("select").all()

    def choose(box: sync_api.Locator, option: str, words: str) -> float:
        start = time.perf_counter()
        box.select_option(option)
        view.get_by_text(words).first.wait_for(timeout=10_000)
        return time.perf_counter() - start

    sync_api.expect(view).to_contain_text("of the users, among their first ten")
    assert view.locator("img").count() >= 1 + 3 + 5  # the item, users' items, neighbours
    quickest = min(
        choose(text, "h0033", "Little one's brass lamp"),
        choose(image, "h0010", "zigzag, orange, black"),
        choose(text, "h0012", "Everyday basket in willow"),
    )
    assert quickest < 1, f"the panel took {quickest:.2f} s at best"
    choose(image, "no image", "no image")
    choose(text, "no text", "needs a text or an image")
    own = panel.get_by_label("or another text")
    own.fill("<img src=x> for rainy days")
    own.press("Enter")
    answer = view.get_by_text("<img src=x> for rainy days").or_(view.get_by_text("No encoder"))
    answer.first.wait_for(timeout=10_000)
    assert view.locator("img[src=x]").count() == 0
    panel.screenshot(path=SHOTS / "98_cold_items.png")
    shown.check_and_close()
