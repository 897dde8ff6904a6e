"""The command ``msm4sr``: parse, call the library, print.

``commands`` lists all commands and flags. A command's function is imported only when the command
runs, so ``--help`` is quick.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from msm4sr_lite.cli.commands import COMMANDS, build_parser
from msm4sr_lite.config import UserError

DISTRIBUTED = ("pretrain", "finetune", "evaluate")  # commands that several processes can share


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; if the user made a mistake, print one line and return exit code 2."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    code = 2
    try:
        return run_command(args)
    except UserError as error:
        message = str(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a folder that may not be written to
        if error.filename is None:
            raise
        message = f"{error.filename}: {error.strerror}"
    except KeyboardInterrupt:
        message, code = "stopped; finished work is kept, run the command again to resume", 130
    rank = os.environ.get("RANK", "0")
    process = "" if rank == "0" else f" (process {rank})"
    print(f"msm4sr {args.command}{process}: {message}", file=sys.stderr)
    return code


def run_command(args: argparse.Namespace) -> int:
    """Run a command; under torchrun, run it together with the other processes."""
    from msm4sr_lite.fast.processes import joined, world_size

    if world_size() > 1 and args.command not in DISTRIBUTED:
        names = ", ".join(DISTRIBUTED)
        raise UserError(f"`{args.command}` runs in one process; torchrun is only for {names}")
    module, _, function = COMMANDS[args.command].run.partition(".")
    run = getattr(import_module(f"msm4sr_lite.cli.{module}"), function)
    with joined(getattr(args, "device", "auto")):
        return int(run(args) or 0)
