"""Opening the course where nothing is installed: Colab, Binder.

All of it follows from the address in ``[project.urls]`` of ``pyproject.toml``, key ``Repository``;
while there is none, neither the README nor a notebook speaks of these services.
``python -m course.hosted`` prints what belongs into the README.

What tests can see without the services is tested: that Colab's cell fetches a repository,
installs from it and finds the sample. How the services behave on the day is theirs.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from msm4sr_lite.config import UserError

FIRST = "notebooks/00_start_here.ipynb"
BRANCH = "main"

_PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# Colab shows a notebook of a repository, and brings nothing else of it.
_COLAB_CELL = """\
# Only on Colab: fetch the rest of the course and install what is missing.
import os
import sys

if "google.colab" in sys.modules and not os.path.isdir("../data_samples"):
    if not os.path.isdir("course"):
        !git clone --quiet --depth 1 ADDRESS course
    !cd course && "{sys.executable}" -m launch.beside
    os.chdir("course/notebooks")"""


def repository(pyproject: Path = _PYPROJECT) -> str:
    """Return the repository's address, such as https://github.com/owner/name; "" if it has none.

    Raises
    ------
    UserError
        If the address is not one that Colab and Binder can be told.
    """
    if not pyproject.is_file():
        return ""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return _checked(project.get("urls", {}).get("Repository", ""))


def _checked(address: str) -> str:
    bare = address.rstrip("/").removesuffix(".git")
    if bare and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", bare):
        raise UserError(
            "[project.urls] Repository must read https://github.com/OWNER/NAME, which is what Colab"
            f" and Binder open; got {address!r}"
        )
    return bare


def links(address: str, notebook: str = FIRST) -> dict[str, str]:
    """Return by service the link that opens a notebook there.

    Examples
    --------
    >>> links("https://github.com/owner/name")["Colab"]
    'https://colab.research.google.com/github/owner/name/blob/main/notebooks/00_start_here.ipynb'
    """
    name = _checked(address).removeprefix("https://github.com/")
    return {
        "Colab": f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{notebook}",
        "Binder": f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath=lab/tree/{notebook}",
    }


def badges(address: str) -> str:
    """Return the README's line of badges, "" without an address."""
    if not address:
        return ""
    to = links(address)
    pictures = {
        "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
        "Binder": "https://mybinder.org/badge_logo.svg",
    }
    return " ".join(f"[![Open in {name}]({pictures[name]})]({to[name]})" for name in to)


def line(address: str, notebook: str) -> str:
    """Return the line for a notebook's head, "" without an address.

    In words: a picture would be asked from the network each time somebody opens the notebook.
    """
    if not address:
        return ""
    to = links(address, notebook)
    return "Open this notebook " + " or ".join(f"[in {name}]({to[name]})" for name in to) + "."


def colab_cell(address: str) -> str:
    """Return the cell that a notebook needs on Colab; it does nothing anywhere else.

    Parameters
    ----------
    address
        Anything that git can clone.
    """
    return _COLAB_CELL.replace("ADDRESS", address)


def main() -> int:
    """Print the line of badges, or how to come by one."""
    try:
        address = repository()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(badges(address) or "pyproject.toml gives no address: [project.urls] Repository = ...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
