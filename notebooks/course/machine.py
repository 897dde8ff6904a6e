"""The facts of this machine: what is installed, how much there is of it, how fast it is."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time

from course.display import escape, show_html
from course.session import is_static

# Seconds that `_work` takes on the machine on which the course's times were measured.
_REFERENCE_SECONDS = 0.16
_PACKAGES = ("torch", "transformers", "numpy", "matplotlib", "ipywidgets", "umap-learn")


def _work() -> float:
    """Time a fixed piece of work that is like the course's: small matrices and plain Python."""
    import numpy as np

    matrix = np.full((96, 96), 1 / 96, dtype=np.float32)
    start = time.perf_counter()
    for _ in range(600):
        matrix = matrix @ matrix
    sum(number % 7 for number in range(2_000_000))
    return time.perf_counter() - start


def speed_factor() -> float:
    """How many times longer than stated the course will take here (1 = as stated)."""
    return min(_work() for _ in range(3)) / _REFERENCE_SECONDS


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def machine_facts() -> dict[str, str]:
    """Collect the facts, name to value; imports torch."""
    import psutil  # comes with Jupyter's kernel
    import torch

    memory = psutil.virtual_memory()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none: the CPU is used"
    return {
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{package: _version(package) for package in _PACKAGES},
        "CPU cores": f"{os.cpu_count()}, of which torch uses {torch.get_num_threads()}",
        "memory": f"{memory.available / 2**30:.1f} GB free of {memory.total / 2**30:.1f} GB",
        "GPU": gpu,
        "time factor": f"{speed_factor():.1f} times the minutes stated in the notebooks",
    }


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in GB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return float(psutil.Process().memory_info().peak_wset / 2**30)
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def machine_report() -> None:
    """Show the facts of this machine as a table.

    In builds and tests the facts are collected all the same, but a fixed sentence is shown in
    their place: what is stored must not differ from machine to machine.
    """
    facts = machine_facts()
    if is_static():
        text = f"Run this cell to see, for your machine: {', '.join(facts)}."
        show_html(f"<p><em>{escape(text)}</em></p>", text)
        return
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
    show_html(f"<table><caption>This machine</caption>{rows}</table>", lines)
