"""Opening the course where nothing is installed: Colab, Binder.

All of it follows from the address in ``[project.urls]`` of ``pyproject.toml``, key ``Repository``;
while there is none, neither the README nor a notebook speaks of these services.
``python -m course.hosted`` prints what belongs into the README.

Both services work on the whole repository: Binder clones it itself, on Colab the first cell does.
pip then installs the extra ``notebooks``: what notebooks import. A package that is there stays if
``pyproject.toml`` allows its version, so that PyTorch and NumPy do not change under a notebook.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from course.session import ROOT
from msm4sr_lite.config import UserError

FIRST = "notebooks/00_start_here.ipynb"
BRANCH = "main"

# Colab shows a notebook of a repository, and brings nothing else of it.
_COLAB_CELL = """\
# Only on Colab: fetch the rest of the course and install what is missing.
import os
import sys

if "google.colab" in sys.modules and not os.path.isdir("../data_samples"):
    if not os.path.isdir("msm4sr-course"):
        !git clone --quiet --depth 1 ADDRESS msm4sr-course
    !"{sys.executable}" -m pip install --quiet "./msm4sr-course[notebooks]"
    os.chdir("msm4sr-course/notebooks")
    sys.path.insert(0, os.getcwd())"""


def find_repository(pyproject: Path = ROOT / "pyproject.toml") -> str:
    """Return the repository's address, such as https://github.com/owner/name; "" if it has none.

    Raises
    ------
    UserError
        If the address is not one that Colab and Binder can open.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return _check_address(project.get("urls", {}).get("Repository", ""))


def _check_address(address: str) -> str:
    bare = address.rstrip("/").removesuffix(".git")
    if bare and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", bare):
        raise UserError(
            "[project.urls] Repository must read https://github.com/OWNER/NAME, which is what Colab"
            f" and Binder open; got {address!r}"
        )
    return bare


def make_links(address: str, notebook: str = FIRST) -> dict[str, str]:
    """Return by service the link that opens a notebook there.

    Examples
    --------
    >>> make_links("https://github.com/owner/name")["Colab"]
    'https://colab.research.google.com/github/owner/name/blob/main/notebooks/00_start_here.ipynb'
    """
    name = _check_address(address).removeprefix("https://github.com/")
    return {
        "Colab": f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{notebook}",
        "Binder": f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath=lab/tree/{notebook}",
    }


def make_badges(address: str) -> str:
    """Return the README's line of badges, "" without an address.

    Examples
    --------
    >>> make_badges("")
    ''
    >>> make_badges("https://github.com/owner/name").split()[0]
    '[![tests](https://github.com/owner/name/actions/workflows/ci.yml/badge.svg)](https://github.com/owner/name/actions/workflows/ci.yml)'
    """
    images = {
        "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
        "Binder": "https://mybinder.org/badge_logo.svg",
    }
    if not address:
        return ""
    tests = f"{_check_address(address)}/actions/workflows/ci.yml"
    links = make_links(address).items()
    opened = [f"[![Open in {name}]({images[name]})]({link})" for name, link in links]
    return " ".join([f"[![tests]({tests}/badge.svg)]({tests})", *opened])


def make_line(address: str, notebook: str) -> str:
    """Return the line for a notebook's head, in words: no badge is fetched when it is opened."""
    links = make_links(address, notebook)
    return (
        "Open this notebook " + " or ".join(f"[in {name}]({links[name]})" for name in links) + "."
    )


def make_colab_cell(address: str) -> str:
    """Return the cell that a notebook needs on Colab; it does nothing anywhere else.

    Parameters
    ----------
    address
        Anything that git can clone.
    """
    return _COLAB_CELL.replace("ADDRESS", address)


def main() -> int:
    """Print the line of badges, or why there is none."""
    try:
        badges = make_badges(find_repository())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(badges or "pyproject.toml gives no address: [project.urls] Repository = ...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
