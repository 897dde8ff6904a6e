"""Command lines with odd words."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness.outcomes import Fault, command
from tests.robustness.world import World, settings

# No path outside the folder of the case: ``--out /`` would write there.
ODD = ["", " ", "x", "-1", "0", "nan", "inf", "-inf", "1e400", "null", "None", "true", "[]", "{}"]
ODD += ["1.5", "1e-400", "0x10", "1_0", "٣", "\udcff", "\x1b[31mred", "\u202eabc", "1e18", "-0"]
ODD += [
    "1000000000",
    "a=b",
    "=",
    "a,b",
    ",",
    "--",
    ".",
    "/dev/null",
    "nothing/here",
    "é" * 300,
]
ODD += ["9" * 5000, "*", "%s", "$HOME", "a\nb", "{0}", "\\", "user_id=item_id", "all", "-"]
LONG = ("epochs", "patience", "tests")  # settings whose large values only take long


def templates(folder: Path) -> list[list[str]]:
    """Return commands that work."""
    data, run = str(folder / "dataset"), str(folder / "run")
    history = ["--items", "i1,i2"]
    lists = ["--candidates", str(folder / "ids.txt"), "--exclude", str(folder / "none.txt")]
    found = [
        ["check", data],
        ["check", data, "--domain", "home", "--rename", "items.a=title"],
        ["recommend", data, "--model", run, *history, "-k", "3"],
        ["recommend", data, "--model", run, "--user", "u1", "--why", "inputs"],
        ["recommend", data, "--model", run, "--all-users", str(folder / "all.csv")],
        ["recommend", data, "--model", run, *history, *lists],
        ["evaluate", data, "--model", run, "--part", "valid", "--baselines", "popularity"],
        ["plot", run, "--out", str(folder / "curves.png")],
        ["features", data, "--out", run, "--report"],
        ["convert", data, "--out", str(folder / "out"), "--min-rating", "2"],
    ]
    train = ["--features", f"{run}/features", "--seed", "1", "--preset", "tuned"]
    return found + [["pretrain", data, "--out", str(folder / "new"), *train]] * 8


def odd_words(folder: Path, rng: Random) -> str:
    """Write a command with an odd word to ``arguments.json``, and return it."""
    (folder / "ids.txt").write_text("i1\ni2\ni3\n")
    (folder / "none.txt").write_text("i4\n")
    words = list(rng.choice(templates(folder)))
    odd = rng.choice(ODD)
    if words[0] == "pretrain" and rng.random() < 0.8:
        name = rng.choice(setting_names())
        odd = "-1" if odd == "1000000000" and name.endswith(LONG) else odd
        added = [f"{name}={odd}"]
        if rng.random() < 0.1:
            added = [rng.choice([name, f"{name}x=1", f"=1{name}", f"{name.upper()}=1"])]
        words += [*settings("model", "pretrain"), "--set", *added]
    else:
        words += settings("model", "pretrain") if words[0] == "pretrain" else []
        place = rng.randrange(1, len(words))
        change = rng.randrange(4)
        if change == 0:
            del words[place]
        elif change == 1:
            words.insert(place, odd)
        else:
            words[place] = odd
    (folder / "arguments.json").write_text(json.dumps(words))
    return " ".join(words)[:400]


def setting_names() -> list[str]:
    """Return the settings of a pre-training."""
    from msm4sr_lite.config import Config
    from msm4sr_lite.settings import fields_by_name

    return [n for n in fields_by_name(Config) if n.split(".")[0] in ("data", "model", "pretrain")]


def run_words(folder: Path) -> tuple[Any, list[str]]:
    """Run the command of ``arguments.json``; without it, one that works."""
    path = folder / "arguments.json"
    words = json.loads(path.read_text()) if path.exists() else ["check", folder / "dataset"]
    command(*words)
    if (folder / "new" / "pretrained").is_dir():
        require_finite(folder / "new" / "pretrained" / "model.safetensors")
    return None, []


def require_finite(path: Path) -> None:
    """Refuse weights that are not numbers: a training must not write them."""
    import torch
    from safetensors.torch import load_file

    if bad := [n for n, tensor in load_file(path).items() if not torch.isfinite(tensor).all()]:
        raise Fault("silent", f"wrote weights that are not finite: {bad[0]}")


def source(world: World, rng: Random) -> Path:
    """Return a folder with a dataset and a finished run."""
    return world.site
