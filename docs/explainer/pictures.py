"""Take the pictures of the page for README and site: ``python -m docs.explainer.pictures``.

It needs Playwright and a Chromium: that of ``MSM4SR_CHROMIUM``, an installed one, or Playwright's.
"""

from __future__ import annotations

import io
import os
import shutil

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from docs.explainer.build import ROOT, write_page

SIZE: ViewportSize = {"width": 1280, "height": 1020}


def main() -> None:
    """Write ``docs/figures/explainer_light.png`` and ``explainer_dark.png``."""
    address = write_page().as_uri()
    chromium = os.environ.get("MSM4SR_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
            page.goto(address)
            page.evaluate("explainer.actions.setProbability(0.5)")
            shot = Image.open(io.BytesIO(page.screenshot()))
            path = ROOT / "docs" / "figures" / f"explainer_{scheme}.png"
            shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
