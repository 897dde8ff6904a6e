"""Compare preset ``tuned`` with that of version 1 on generated datasets that neither has seen.

::

    python -m benchmarks.studies.fresh_samples --out DIR --seeds 101 102 103

Each seed makes a new sample: other items, texts, images and users. Both versions compute keywords
and features with the same encoders, train on domain *home* with the preset's settings and one seed,
and rank the test part. Each version runs in its own process. Expected NDCG@10 is the mean over all
items that could come next, weighted by their true probabilities, so its noise is small. The
difference is averaged over the datasets, with a 95 % interval of Student's t distribution. Finished
datasets are kept in DIR; the result is DIR/fresh_samples.json.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.versions import NAMES, ROOT, Version, unpack_version_1
from data_samples.make.write import write_sample
from msm4sr_lite.store.files import write_json

DOMAIN, MODEL = "home", "msm4sr_tuned"
CLIP = ROOT / "data_samples" / "mini_clip"
# Flags that have other names in version 1.
FLAGS = {"version 1": ("--department", "--recipes"), "this checkout": ("--domain", "--configs")}


def measure(version: Version, data: Path, out: Path) -> dict[str, float]:
    """Run all stages and the study with one version; return what the trained model reaches."""
    domain, configs = FLAGS[version.name]
    settings = out.with_suffix(".settings.json")
    write_json(settings, {MODEL: {"settings": {}}})  # those of the preset
    where = [str(data), "--out", str(out)]
    words = ["--clip", str(CLIP), "--dictionary", str(CLIP / "words.txt")]
    options = ["--features", str(out / "features"), domain, DOMAIN, configs, str(settings)]
    commands = [
        ["keywords", *where, *words],
        ["features", *where],
        ["study", "main", *where, *options, "--models", MODEL, "--seeds", "1"],
    ]
    for command in commands:
        version.ask("command", arguments=[*command, "--device", "cpu"])
    (path,) = (out / "runs").glob(f"{MODEL}-1-test*.json")
    run = json.loads(path.read_text(encoding="utf-8"))
    bounds = json.loads((out / "main.json").read_text(encoding="utf-8"))
    best = bounds.get("upper_bound") or bounds.get("ceiling")
    return {
        "expected_ndcg@10": run["expected_ndcg@10"],
        "seconds": run["seconds"],
        **({"content_bound": best["content"]} if best else {}),
    }


def summary(found: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return the mean difference in expected NDCG@10 between both versions, with its interval."""
    each = np.array([[one[name]["expected_ndcg@10"] for name in NAMES] for one in found.values()]).T
    differences = each[1] - each[0]
    n = len(differences)
    half = stats.t.ppf(0.975, n - 1) * differences.std(ddof=1) / math.sqrt(n)
    bounds = np.array([one["this checkout"]["content_bound"] for one in found.values()])
    return {
        "datasets": found,
        "expected_ndcg@10": dict(zip(NAMES, each.mean(axis=1).round(6).tolist(), strict=True)),
        "difference": {
            "value": round(float(differences.mean()), 6),
            "low": round(float(differences.mean() - half), 6),
            "high": round(float(differences.mean() + half), 6),
        },
        "share_of_content_bound": {
            name: round(float((values / bounds).mean()), 4)
            for name, values in zip(NAMES, each, strict=True)
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, train, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="of the datasets")
    args = parser.parse_args(arguments)
    if len(args.seeds) < 2:
        parser.error("--seeds: an interval needs two datasets at least")
    with tempfile.TemporaryDirectory() as scratch:
        folders = unpack_version_1(Path(scratch)), ROOT
        versions = [Version(*pair) for pair in zip(NAMES, folders, strict=True)]
        found = {}
        for seed in args.seeds:
            data, path = args.out / f"data_{seed}", args.out / f"result_{seed}.json"
            if not path.is_file():
                if not data.is_dir():
                    write_sample(data, seed)
                reached = {}
                for number, version in enumerate(versions, 1):
                    out = args.out / f"version_{number}_{seed}"
                    reached[version.name] = measure(version, data, out)
                write_json(path, reached)
            found[str(seed)] = json.loads(path.read_text(encoding="utf-8"))
            print(seed, json.dumps(found[str(seed)]), flush=True)
        for version in versions:
            version.close()
    result = summary(found)
    write_json(args.out / "fresh_samples.json", result)
    print(json.dumps({name: value for name, value in result.items() if name != "datasets"}))


if __name__ == "__main__":
    main()
