"""The command ``msm4sr``: parse, call the library, print.

Each command is a module with ``add_arguments(parser)`` and ``run(args)``. Heavy libraries load
inside ``run``, so ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from msm4sr_lite.cli.parser import CommandParser, Parser
from msm4sr_lite.config import UserError

COMMANDS = {
    "check": "read a dataset and print what is in it",
    "run": "compute features, pre-train, fine-tune and evaluate",
    "evaluate": "rank the whole catalogue for held-out interactions, beside baselines",
    "recommend": "recommend items for users or for a history, with reasons",
    "study": "compare models on a dataset: same data, training budget and statistics",
    "convert": "turn a public dataset (Amazon, MovieLens, RecBole, H&M) into a dataset folder",
    "train-clip": "train a small CLIP-like model on a labelled image folder",
    "doctor": "check this machine",
    "plot": "draw the training curves of a run folder (PNG)",
    "keywords": "stage 1: find the best keywords of every image (CLIP)",
    "features": "stage 2: embed sentences and keywords (BERT)",
    "pretrain": "stage 3: contrastive pre-training, without item ids",
    "finetune": "stage 4: fine-tune the pre-trained model, with item ids",
}
DISTRIBUTED = ("pretrain", "finetune", "evaluate")  # commands that several processes can share


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="msm4sr", description="Multimodal sequential recommendation on a dataset folder."
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        module = import_module(f"msm4sr_lite.cli.{name.replace('-', '_')}")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line and exit code 2."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return run_command(args)
    except UserError as error:
        rank = os.environ.get("RANK", "0")
        process = "" if rank == "0" else f" (process {rank})"
        print(f"msm4sr {args.command}{process}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"msm4sr {args.command}: {where}{error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"msm4sr {args.command}: stopped; finished work is kept, run it again to resume",
            file=sys.stderr,
        )
        return 130


def run_command(args: argparse.Namespace) -> int:
    """Run a command, under torchrun together with the other processes."""
    from msm4sr_lite.fast.processes import joined, world_size

    if world_size() > 1 and args.command not in DISTRIBUTED:
        raise UserError(
            f"`{args.command}` runs in one process; under torchrun there are"
            f" {', '.join(DISTRIBUTED)}"
        )
    with joined(getattr(args, "device", "auto")):
        return int(args.run(args) or 0)
