"""``msm4sr doctor``: check whether this machine is ready for the library, or for the course."""

import argparse
import os
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path

from PIL import Image

from msm4sr_lite.cli import common
from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features.model_files import model_folder
from msm4sr_lite.printable import counted
from msm4sr_lite.similarity import normalize

# Purpose -> the extras in pyproject.toml that it needs.
EXTRAS = {"library": [], "course": ["notebooks", "course"]}
EXTRAS["development"] = [*EXTRAS["course"], "dev", "docs", "parquet"]
CHECKOUT = Path(__file__).resolve().parents[2]
SENTENCES = ("a red mug", "a crimson cup", "a tent for two people")
WORDS = ("red", "blue", "green", "yellow", "black", "circle", "square", "triangle", "mug", "tent")


def run(args: argparse.Namespace) -> int:
    """Print facts and problems; return exit code 1 if something that is needed is missing."""
    purpose = args.purpose or ("course" if (CHECKOUT / "run.py").is_file() else "library")
    facts, problems = findings(purpose)
    name = args.text_encoder
    facts |= {"text encoder": default_text_encoder()} if name is None else try_text_encoder(name)
    facts |= {} if args.clip is None else try_clip(args.clip)
    rows = [*facts.items(), *(("problem", problem) for problem in problems)]
    end = f"{'not ready yet' if problems else 'ready'} for: {purpose}"
    width = max(len(name) for name, _ in rows)
    text = "\n".join([*(f"{name:>{width}}  {value}" for name, value in rows), end])
    common.show(args, {**facts, "purpose": purpose, "problems": problems}, text)
    return int(bool(problems))


def findings(purpose: str) -> tuple[dict[str, str], list[str]]:
    """Return facts about this machine, and a list of problems with their remedies."""
    free = shutil.disk_usage(".").free / 2**30
    problems = [] if free >= 1 else [f"only {free:.1f} GiB of disk space are free; 1 GiB is needed"]
    cores = counted(os.cpu_count() or 1, "core")
    facts = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {cores}",
        "disk": f"{free:.0f} GiB free",
    }
    extras, is_checkout = EXTRAS[purpose], (CHECKOUT / "run.py").is_file()
    setup = f"`python run.py setup{' --dev' if purpose == 'development' else ''}`"
    if extras and not is_checkout:
        problems.append("the notebooks are not here: download the repository and work in it")
    for name, requirement in needed(extras).items():
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = "missing"
            remedy = setup if is_checkout else f'`python -m pip install "{requirement}"`'
            problems.append(f"{name} is missing: run {remedy}")
    import torch
    from huggingface_hub.constants import HF_HUB_CACHE

    found = torch.cuda.is_available()
    facts["GPU"] = torch.cuda.get_device_name(0) if found else "none; the CPU does everything"
    facts["threads"] = str(torch.get_num_threads())
    closed = "" if writable(HF_HUB_CACHE) else " (cannot be written: set HF_HOME for downloads)"
    facts["hub cache"] = f"{HF_HUB_CACHE}{closed}"
    return facts, problems


def needed(extras: list[str]) -> dict[str, str]:
    """Return the packages that the library needs with these extras, and which versions."""
    try:
        lines = metadata.requires("msm4sr_lite") or []
    except metadata.PackageNotFoundError:  # its source alone
        return {"msm4sr_lite": "msm4sr_lite"}
    found = {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        name, extra = re.split(r"[^\w.-]", requirement)[0], re.search(r"extra == .([\w-]+)", marker)
        if name.replace("-", "_") != "msm4sr_lite" and (not extra or extra[1] in extras):
            found[name] = requirement.strip()
    return found


def writable(folder: str) -> bool:
    """Return whether files can be written to a folder, which may have to be made first."""
    place = Path(folder).expanduser().absolute()
    made = next(path for path in (place, *place.parents) if path.exists())
    return made.is_dir() and os.access(made, os.W_OK)


def default_text_encoder() -> str:
    """Return where the default text encoder is on this machine."""
    try:
        return f"all-MiniLM-L6-v2 in {model_folder(DEFAULT_TEXT_ENCODER, download=False)}"
    except UserError:
        return "not on this machine; the course does not need it (the sample brings its features)"


def try_text_encoder(name: str) -> dict[str, str]:
    """Load a text encoder as ``features`` does; return what it is, and cosines of sentences."""
    import torch

    from msm4sr_lite.features.text_encoder import TextEncoder, is_default

    encoder = TextEncoder(name)
    vectors = normalize(torch.from_numpy(encoder.encode(SENTENCES)).float())
    pairs = zip(SENTENCES[1:], (vectors[1:] @ vectors[0]).tolist(), strict=True)
    note = "by its name, the default encoder is read without the Normalize of its folder"
    noted = "Normalize" in encoder.pooling or is_default(name)
    return {
        "text encoder": f"{name}, loaded from {encoder.folder}",
        "pooling": f"{encoder.pooling}; width {encoder.width}; up to {encoder.max_length} tokens",
        "texts are read as": encoder.reading,
        "cosines": f"{SENTENCES[0]!r} and " + ", ".join(f"{text!r} {c:.2f}" for text, c in pairs),
    } | ({"note": note} if noted else {})


def try_clip(name: str) -> dict[str, str]:
    """Load a CLIP-like model as ``keywords`` does; return the best keywords of plain images."""
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    colours = ("red", "blue")
    images = [Image.new("RGB", (224, 224), colour) for colour in colours]
    tokenizer = KeywordTokenizer(name, WORDS)
    found = zip(colours, tokenizer.keywords(images, 5), strict=True)
    return {"CLIP": f"{name}, loaded from {tokenizer.folder}"} | {
        f"a {colour} image": ", ".join(f"{word} {score:.2f}" for word, score in best)
        for colour, best in found
    }
