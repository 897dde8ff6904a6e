"""The worker process of ``benchmarks.versions``, which runs one version of the package.

It is started with ``PYTHONPATH`` pointing to that version. It reads requests from standard input
and writes answers to standard output, one JSON line each.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import synthetic

# Where each version has the functions that are used here, and its name of a keyword argument.
HOMES = {
    "version 1": {
        "make_slots": "features:make_slots",
        "pretrain": "training:pretrain",
        "finetune": "training:finetune",
        "scorer": "evaluation:ModelScorer",
        "table": "features:FeatureTable",
        "interactions": "events",
        "n_negatives": "negatives",
    },
    "this checkout": {
        "make_slots": "feature_table:make_slots",
        "pretrain": "training:pretrain_steps",
        "finetune": "training:finetune_steps",
        "scorer": "scoring:ModelScorer",
        "table": "feature_table:FeatureTable",
        "interactions": "interactions",
        "n_negatives": "n_negatives",
    },
}


class Worker:
    """The requests that a version can answer; arguments and results are plain JSON."""

    def __init__(self, version: str) -> None:
        self.names = HOMES[version]
        self.config = importlib.import_module("msm4sr_lite.config")
        self.encoder = importlib.import_module("msm4sr_lite.encoder")
        self.evaluation = importlib.import_module("msm4sr_lite.evaluation")
        self.works: dict[str, Callable[[], object]] = {}

    def find(self, what: str) -> Any:
        """Return a function or class of the package."""
        module, _, path = self.names[what].partition(":")
        found: Any = importlib.import_module(f"msm4sr_lite.{module}")
        for name in path.split("."):
            found = getattr(found, name)
        return found

    def home(self) -> str:
        """Return the folder from which the package was imported."""
        return str(Path(str(self.config.__file__)).resolve().parent)

    def section(self, name: str, values: dict[str, Any]) -> Any:
        """Return one section of the settings, such as ``PretrainConfig``."""
        return getattr(self.config, f"{name.capitalize()}Config")(**values)

    # ------------------------------------------------------------ the same work, timed

    def prepare(self, sizes: dict[str, Any], n_negatives: int) -> None:
        """Make data and models of the given sizes, and a function for each thing that is timed."""
        interactions, offsets = synthetic.interaction_arrays(
            sizes["users"], sizes["items"], sizes["mean_length"]
        )
        items = ["", *(f"i{item}" for item in range(1, sizes["items"] + 1))]
        users = [f"u{user}" for user in range(sizes["users"])]
        make = importlib.import_module("msm4sr_lite.sequences").Sequences
        sequences = make(
            users=users,
            items=items,
            offsets=offsets,
            **{self.names["interactions"]: interactions},
        )
        slots = [
            self.find("make_slots")(*arrays)
            for arrays in synthetic.slot_arrays(
                sizes["items"], [sizes["text_slots"], sizes["image_slots"]], sizes["width"]
            )
        ]
        table = self.find("table")(items, *slots, {})

        def steps(section: str, **options: Any) -> Iterator[Any]:
            torch.manual_seed(0)
            ids = sizes["items"] if section == "finetune" else 0
            model = self.encoder.M2SE(
                self.section("model", {"feature_dim": sizes["width"], "n_items": ids})
            )
            # Neither epochs nor patience end it; validation, at an epoch's end, is cheap.
            forever = {"epochs": 10**6, "patience": 10**6, "valid_users": 10}
            options |= {"batch_size": sizes["batch_size"]} | forever
            records = self.find(section)(model, table, sequences, self.section(section, options))
            return iter(records)

        def advance(records: Iterator[Any]) -> Callable[[], object]:
            return lambda: [next(records) for _ in range(sizes["steps"])]

        model = self.encoder.M2SE(
            self.section("model", {"feature_dim": sizes["width"], "n_items": sizes["items"]})
        )
        histories, targets = sequences.held_out("test")
        cases = histories[: sizes["cases"]], targets[: sizes["cases"]]
        self.works = {
            "pre-training": advance(steps("pretrain")),
            "fine-tuning, exact": advance(steps("finetune", **{self.names["n_negatives"]: 0})),
            "fine-tuning, sampled": advance(
                steps("finetune", **{self.names["n_negatives"]: n_negatives})
            ),
            "evaluation": lambda: self.evaluation.evaluate(
                self.find("scorer")(model, table), *cases
            ),
        }

    def seconds(self, work: str) -> float:
        """Run one of these functions once; return its processor seconds."""
        start = time.process_time()
        self.works[work]()
        return time.process_time() - start

    def command(self, arguments: list[str]) -> dict[str, float]:
        """Run ``msm4sr`` with these arguments; return its processor and wall seconds."""
        main = importlib.import_module("msm4sr_lite.cli").main
        processor, wall = time.process_time(), time.perf_counter()
        code = main(arguments)
        if code:
            raise RuntimeError(f"msm4sr {' '.join(arguments)}: exit code {code}")
        return {
            "processor": time.process_time() - processor,
            "wall": time.perf_counter() - wall,
        }


def main() -> None:
    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr  # prints of the package are no answers
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        method, arguments = json.loads(line)
        print(json.dumps(getattr(worker, method)(**arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
