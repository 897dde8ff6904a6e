"""The student's copies of the notebooks, and JupyterLab at the first one: ``python -m course.lab``.

The copies lie in ``notebooks/work/``, or in the folder that the variable ``MSM4SR_WORK`` names.
They are made from the stored notebooks, without outputs and solutions. A copy belongs to the
student: no command overwrites or deletes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from course.session import ROOT, find_folder
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import one_line, reason_of
from msm4sr_lite.store.files import write_text

FIRST = "00_start_here.ipynb"
_NAME = "[0-9][0-9]_*.ipynb"
_LINK = re.compile(r"(\]\(<?|\b(?:src|href)=[\"'])([^)>\"'\s#]+)")
Notebook = TypeVar("Notebook", bound=dict[str, Any])


def make_blank(notebook: Notebook) -> Notebook:
    """Return a notebook without outputs and solutions; the starters of exercises stay."""
    blank = deepcopy(notebook)
    blank["cells"] = [
        cell for cell in blank["cells"] if "solution" not in cell["metadata"].get("tags", [])
    ]
    for cell in blank["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return blank


def make_copies(
    root: Path = ROOT, numbers: Sequence[str] = (), *, fresh: bool = False
) -> list[str]:
    """Make the copies that are missing; return what to say about them, in lines.

    Parameters
    ----------
    root
        The repository.
    numbers
        Numbers of notebooks; all by default.
    fresh
        Rename copies that are there, and make new ones in their places.

    Raises
    ------
    UserError
        If there is no such notebook, or a copy cannot be written. What was made until then stays.
    """
    work, said, made, newer = find_folder(root), [], 0, []
    for path in _find_notebooks(root / "notebooks", numbers):
        digest, text = _make_copy(path, work)
        own = work / path.name
        if not os.path.lexists(own):
            write_text(own, text)
            made += 1
        elif fresh:
            said.append(f"{own}: a fresh copy; yours is now {_replace(own, text)}")
        elif (found := _digest_in(own)) is None:
            said.append(
                f"{own}: cannot be read as a notebook; `python -m course.notebooks work --fresh"
                f" {path.name[:2]}` in notebooks/ puts a fresh copy in its place and keeps the file"
            )
        elif found != digest:
            newer.append(path.name[:2])
    if made:
        said.insert(0, f"{made} new in {work}: your copies. They are never overwritten.")
    if newer:
        said.append(
            f"The course has newer versions of {', '.join(newer)} than your copies; `python -m"
            f" course.notebooks work --fresh {newer[0]}` in notebooks/ makes a fresh copy and keeps"
            f" yours under the name {newer[0]}_..._old.ipynb."
        )
    return said


def _find_notebooks(folder: Path, numbers: Sequence[str]) -> list[Path]:
    found = sorted(folder.glob(_NAME))
    known = {path.name[:2] for path in found}
    if not known:
        raise UserError(f"{folder}: holds no notebook; get the whole repository")
    if missing := sorted(set(numbers) - known):
        raise UserError(f"numbers of notebooks were expected ({sorted(known)}); got {missing}")
    return [path for path in found if not numbers or path.name[:2] in numbers]


def _make_copy(path: Path, work: Path) -> tuple[str, str]:
    """Return a digest of what the course gives to students, and the text of the copy."""
    try:
        blank = make_blank(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(reason_of(error))
        raise UserError(f"{path}: cannot be read ({reason}); get the repository anew") from None
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in blank["cells"]]
    digest = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
    about = blank["metadata"].setdefault("msm4sr", {})
    about.pop("made_from", None)  # of the outputs
    about["copied_from"] = digest
    for cell in blank["cells"]:
        if cell["cell_type"] == "markdown":
            text = _move_links("".join(cell["source"]), path.parent, work)
            cell["source"] = text.splitlines(keepends=True)
    return digest, json.dumps(blank, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _move_links(text: str, folder: Path, work: Path) -> str:
    """Let relative links lead from ``work`` where they led from ``folder``.

    Links to other notebooks stay: they lead to the student's copies.
    """

    def move(link: re.Match[str]) -> str:
        target = folder / unquote(link[2])
        if target.match(_NAME) and target.parent == folder:
            return link[0]
        if link[2].startswith("/") or ":" in link[2] or not target.exists():
            return link[0]
        way = Path(os.path.relpath(folder, work), link[2])
        return f"{link[1]}{way.as_posix().replace(' ', '%20')}"

    return _LINK.sub(move, text)


def _digest_in(own: Path) -> str | None:
    """Return of what a copy was made, "" if it does not say so, None if it is no notebook."""
    try:
        notebook = json.loads(own.read_text("utf-8-sig"))
        list(notebook["cells"])
        return str(notebook.get("metadata", {}).get("msm4sr", {}).get("copied_from", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _replace(own: Path, text: str) -> str:
    """Rename a copy and put a text in its place; return the new name of the copy."""
    names = (f"{own.stem}_old{number or ''}.ipynb" for number in (0, *range(2, 10_000)))
    aside = next(one for name in names if not os.path.lexists(one := own.with_name(name)))
    try:
        own.rename(aside)
    except OSError as error:
        raise UserError(f"{own}: cannot be renamed ({reason_of(error)}); nothing changed") from None
    try:
        write_text(own, text)
    except UserError:
        aside.rename(own)
        raise
    return aside.name


def main(arguments: Sequence[str]) -> int:
    """Make the copies, then start JupyterLab with more arguments; 2 if a copy cannot be made."""
    try:
        lines = make_copies()
    except UserError as error:
        line = f"{error}; the variable MSM4SR_WORK can name another folder for your copies"
        print(one_line(line), file=sys.stderr)
        return 2
    for said in lines:
        print(one_line(said), flush=True)
    from jupyterlab.labapp import LabApp

    work = find_folder()
    os.environ["MSM4SR_WORK"] = str(work)  # the same for kernels, which start in another folder
    root = ROOT if work.is_relative_to(ROOT) else work
    place = (work / FIRST).relative_to(root).as_posix()
    options = ["--log-level=WARN", "--allow-root", f"--ServerApp.root_dir={root}"]
    LabApp.launch_instance([*options, f"--LabApp.default_url=/lab/tree/{place}", *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
