"""The site is tested where it was built: ``python run.py docs``, then ``pytest tests/site``.

``python run.py test`` does both.
These tests run only when ``tests/site`` is named. Otherwise the unit tests would test a site that
somebody built before the last change.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SITE = HERE.parents[1] / "build" / "site"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = [Path(config.invocation_params.dir, arg.partition("::")[0]) for arg in config.args]
    return None if any(path.resolve().is_relative_to(HERE) for path in named) else True


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"{SITE} holds no site; build it with `python run.py docs`")
    return SITE
