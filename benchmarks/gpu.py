"""Measure training, evaluation, bfloat16 and image encoding on a GPU; write a log in JSON.

::

    python -m benchmarks.gpu --out gpu.json
    python -m benchmarks.gpu --device cpu --quick     # the same on a CPU, small

The script needs only torch, transformers and this library, but no network and no data. Datasets are
synthetic. The CLIP has the size of ViT-B/32 and random weights, which take as long as trained ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks import synthetic
from benchmarks.measure import machine, peak_memory
from benchmarks.training import Steps, library
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences


def wait() -> None:
    """Wait until the GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], repeats: int, warm_up: int) -> float:
    """Return the mean wall-clock time."""
    for _ in range(warm_up):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - start) / repeats


def utilisation() -> int | None:
    """Return the GPU's utilisation in percent from its driver; None if the driver has none."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=9, check=True)
        return int(found.stdout.splitlines()[0])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None


@cache
def dataset(quick: bool) -> tuple[Sequences, FeatureTable]:
    """Return a dataset of 20,000 items with 10 sentences and an image each, or of fewer."""
    items, users = (2_000, 2_000) if quick else (20_000, 50_000)
    return synthetic.sequences(users, items, 18.0), synthetic.table(items, 10, 1, 768)


def training(stage: str, precision: str, targets: int, args: argparse.Namespace) -> dict[str, Any]:
    """Measure steps of one stage in one precision."""
    sequences, table = dataset(args.quick)
    table = table.to(args.device)
    torch.manual_seed(0)
    ids = sequences.n_items if stage == "finetune" else 0
    model = M2SE(ModelConfig(n_items=ids)).to(args.device)
    loss_of = library(stage, table)

    def loss(model: M2SE, batch: Any, generator: torch.Generator) -> torch.Tensor:
        enabled = precision == "bfloat16"
        with torch.autocast(args.device, torch.bfloat16, enabled=enabled):
            value: torch.Tensor = loss_of(model, batch.to(args.device), generator)
        return value

    steps = Steps(loss, model, sequences, targets)
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    took = seconds(steps, 3 if args.quick else 50, 1 if args.quick else 10)
    busy = utilisation()
    peak = torch.cuda.max_memory_allocated() / 2**20 if args.device == "cuda" else peak_memory()
    done = sum(steps.targets) / len(steps.targets)
    return {
        "what": stage,
        "precision": precision,
        "targets": round(done),
        "seconds a step": took,
        "targets/s": done / took,
        "peak MB": peak,
        "utilisation %": busy,
    }


def evaluation(args: argparse.Namespace) -> dict[str, Any]:
    """Measure full ranking."""
    items, users = (2_000, 500) if args.quick else (100_000, 20_000)
    sequences = synthetic.sequences(users, items, 18.0)
    table = synthetic.table(items, 2, 1, 384)
    model = M2SE(ModelConfig(feature_dim=384)).to(args.device)
    scorer = ModelScorer(model, table, args.device)
    histories, targets = sequences.held_out("test")
    took = seconds(lambda: target_ranks(scorer, histories, targets), 1, 1)
    return {"what": "evaluation", "items": items, "users/s": users / took}


def images(precision: str, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the time from pixels to the 15 best of 2,000 keywords with CLIP's image encoder."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512))
    model = model.eval().to(args.device)
    count = 8 if args.quick else 256
    pixels = torch.randn(count, 3, 224, 224, device=args.device)
    keywords = torch.nn.functional.normalize(torch.randn(2000, 512, device=args.device), dim=-1)

    @torch.inference_mode()
    def encode() -> None:
        with torch.autocast(args.device, torch.bfloat16, enabled=precision == "bfloat16"):
            embeddings = model(pixel_values=pixels).image_embeds
        cosines = torch.nn.functional.normalize(embeddings.float(), dim=-1) @ keywords.T
        cosines.topk(15)

    took = seconds(encode, 1 if args.quick else 10, 1)
    return {"what": "keywords", "precision": precision, "images/s": count / took}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a test run")
    parser.add_argument("--out", type=Path, help="write the log to this file")
    args = parser.parse_args()
    results = []
    precisions = ("float32", "bfloat16")
    for precision in precisions[:1] if args.quick else precisions:
        for targets in (256,) if args.quick else (128, 1024, 8192):
            for stage in ("pretrain", "finetune"):
                results.append(training(stage, precision, targets, args))
                print(results[-1], flush=True)
        results.append(images(precision, args))
        print(results[-1], flush=True)
    results.append(evaluation(args))
    print(results[-1], flush=True)
    if args.out:
        log = {"machine": machine(), "device": args.device, "results": results}
        args.out.write_text(json.dumps(log, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
