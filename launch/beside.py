"""Install the course beside what a hosted machine brings: ``python -m launch.beside``.

Colab and Binder come with a PyTorch and with a front end for notebooks, and neither should be
exchanged under a running notebook. So what is there stays, as long as ``pyproject.toml`` allows
it; what is missing or too old comes at its pin in ``constraints.txt``. Together these versions
have been tested by nobody: for versions that were, use ``run.py``.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from launch.console import SetupError, say
from launch.installer import run_pip

ROOT = Path(__file__).resolve().parents[1]

# Of the extra "course", what cells import. The rest shows and builds notebooks.
IN_NOTEBOOKS = ("ipywidgets", "matplotlib", "seaborn", "umap-learn", "scikit-learn")
FRONT_END = ("ipywidgets",)  # one half of it runs in the page: any version there stays


def name_of(requirement: str) -> str:
    """Return the package of a requirement or pin, spelt in the one way that can be compared."""
    return re.sub("[-_.]+", "-", re.split("[^\\w.-]", requirement, maxsplit=1)[0]).lower()


def release(version: str) -> tuple[int, ...]:
    """Return the numbers with which a version starts, such as (2, 13, 0) for "2.13.0+cpu"."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()


def installed() -> dict[str, str]:
    """Return the version of every package that this Python finds."""
    found: dict[str, str] = {}
    for package in metadata.distributions():
        if package.metadata["Name"]:  # what comes first on the path is what is imported
            found.setdefault(name_of(package.metadata["Name"]), package.version)
    return found


def plan(root: Path, there: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return what pip is asked for, and the pins that hold it.

    Parameters
    ----------
    root
        The checkout.
    there
        Version of each installed package.
    """
    import tomllib  # not in Python 3.8, which only has to read this file

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    course = project["optional-dependencies"]["course"]
    needs = [*project["dependencies"], *(text for text in course if name_of(text) in IN_NOTEBOOKS)]
    needs = [text for text in needs if name_of(text) not in FRONT_END or name_of(text) not in there]
    least = {name_of(text): release(text.partition(">=")[2]) for text in needs}
    pins = re.findall("^[^#\\s]+==.+", (root / "constraints.txt").read_text(encoding="utf-8"), re.M)
    held = [
        pin
        for pin in pins
        if name_of(pin) not in there or release(there[name_of(pin)]) < least.get(name_of(pin), ())
    ]
    return needs, held


def main() -> int:
    """Install; 2 means that it failed, for the reason given in one line."""
    there = installed()
    needs, held = plan(ROOT, there)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    constraints, log = build / "beside.txt", build / "setup.log"
    constraints.write_text("\n".join(held) + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--progress-bar=off"]
    say(f"Installing the course beside torch {there.get('torch', '(none yet)')}")
    try:
        run_pip([*pip, "-c", str(constraints), *needs], log)
        # A copy, not a link to the checkout: a kernel that runs already would not follow a link.
        run_pip([*pip, "--no-deps", str(ROOT)], log)
    except SetupError as error:
        print(f"launch.beside: {error}", file=sys.stderr)
        return 2
    now = sorted(installed().items())
    changed = [f"{name} {version}" for name, version in now if there.get(name) != version]
    say(f"Ready. New or changed: {', '.join(changed) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
