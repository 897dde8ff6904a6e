"""Every panel is moved in a real browser: JupyterLab on loopback, driven in a Chromium.

Nothing outside this machine can be reached by the browser. Screenshots are left in
``build/screenshots``: a person should look at them, for no test sees a cut label.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from msm4sr_lite.course.masters import read_master
from msm4sr_lite.course.notebooks import ROOT, find, stored

CHROMIUM = (
    os.environ.get("MSM4SR_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM, reason="no Chromium found; install one or name it in MSM4SR_CHROMIUM"
    ),
]

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
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr']"  # tracebacks and warnings alike


def notebooks_with_panels() -> list[tuple[Path, int]]:
    """Return masters and how many panels they show: the workbench, then the course's."""
    found = [(Path(__file__).parent / "browser" / "99_workbench.py", 2)]
    for master in find(ROOT):
        if stored(master).exists():
            panels = stored(master).read_text(encoding="utf-8").count('"[interactive panel]')
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
    }
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    environment |= {name: str(home / place) for name, place in places.items()}
    environment.pop("MSM4SR_STATIC", None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root", "--expose-app-in-browser"]
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
    view = panel.locator(".widget-html-content")
    before = view.inner_html()
    sliders, lists = panel.locator(".noUi-handle"), panel.locator("select")
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


def open_and_run(page: sync_api.Page, address: str, folder: Path, master: Path) -> None:
    """Put a master's notebook into the folder, open it in JupyterLab and run all its cells."""
    nbformat.write(read_master(master), folder / f"{master.stem}.ipynb")
    page.goto(f"{address}/lab/tree/{master.stem}.ipynb?reset&token={TOKEN}")
    page.wait_for_function(IDLE, timeout=90_000)
    page.evaluate(RUN_ALL)
    page.wait_for_function(IDLE, timeout=300_000)


@pytest.mark.parametrize(
    ("master", "expected"),
    [pytest.param(*case, id=case[0].stem) for case in notebooks_with_panels()],
)
def test_panels_move(
    lab: tuple[str, Path], browser: sync_api.Browser, master: Path, expected: int
) -> None:
    address, folder = lab
    tags = [tag for cell in read_master(master).cells for tag in cell.metadata.get("tags", ())]
    SHOTS.mkdir(parents=True, exist_ok=True)

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    outside, complaints = [], []
    page.on("request", lambda request: outside.append(request.url))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    open_and_run(page, address, folder, master)

    panels = page.locator(".jp-OutputArea-output .widget-vbox:has(> .widget-html)")
    assert panels.count() == expected
    for number, panel in enumerate(panels.all()):
        seconds = move(panel)
        assert seconds < 2, f"panel {number} took {seconds:.1f} s to redraw"
        assert "cannot be drawn" not in panel.inner_text()
        for twin in panel.locator("select, input").all():
            assert twin.evaluate("box => box.labels[0].innerText.trim()")
        panel.screenshot(path=SHOTS / f"{master.stem}_panel{number}.png")
    shoot_whole(page, SHOTS / f"{master.stem}.png")

    assert page.locator(ERRORS).count() == tags.count("raises-exception")
    assert not complaints
    local = (address, address.replace("http", "ws"), "data:", "blob:")
    assert not [url for url in outside if not url.startswith(local)]
    page.close()


def test_the_cold_item_maker(lab: tuple[str, Path], browser: sync_api.Browser) -> None:
    """Pictures and texts mix freely, nothing is no item, and what is typed is shown as typed."""
    address, folder = lab
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    open_and_run(page, address, folder, Path(__file__).parent / "browser" / "98_cold_items.py")
    panel = page.locator(".jp-OutputArea-output .widget-vbox:has(> .widget-html)")
    view = panel.locator(".widget-html-content")
    picture, text = panel.locator("select").all()

    def choose(box: sync_api.Locator, option: str, words: str) -> float:
        start = time.perf_counter()
        box.select_option(option)
        view.get_by_text(words).first.wait_for(timeout=10_000)
        return time.perf_counter() - start

    sync_api.expect(view).to_contain_text("of the customers, among their first ten")
    assert view.locator("img").count() >= 1 + 3 + 5  # the item, customers' things, neighbours
    quickest = min(
        choose(text, "h0033", "Little one's brass lamp"),
        choose(picture, "h0010", "zigzag, orange, black"),
        choose(text, "h0012", "Everyday basket in willow"),
    )
    assert quickest < 1, f"the panel took {quickest:.2f} s at best"
    choose(picture, "no picture", "no picture")
    choose(text, "no text", "neither text nor picture")
    own = panel.get_by_label("or your own words")
    own.fill("<img src=x> for rainy days")
    own.press("Enter")
    answer = view.get_by_text("<img src=x> for rainy days").or_(view.get_by_text("No encoder"))
    answer.first.wait_for(timeout=10_000)
    assert view.locator("img[src=x]").count() == 0
    panel.screenshot(path=SHOTS / "98_cold_items.png")
    assert page.locator(ERRORS).count() == 0
    page.close()
