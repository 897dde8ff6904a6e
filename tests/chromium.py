"""The Chromium that browser tests open, and the marks of such tests."""

import os
import shutil

import pytest

CHROMIUM = (
    os.environ.get("MSM4SR_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM, reason="no Chromium found; install one or name it in MSM4SR_CHROMIUM"
    ),
]
