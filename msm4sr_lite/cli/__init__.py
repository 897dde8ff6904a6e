"""The command ``msm4sr``: parse, call the library, print.

``commands`` lists all commands and flags. A command's function is imported only when the command
runs, so ``--help`` is quick.
"""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from msm4sr_lite.cli.commands import COMMANDS, build_parser
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import first_line, one_line

DISTRIBUTED = ("pretrain", "finetune", "evaluate")  # commands that several processes can share


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; if the user made a mistake, print one line and return exit code 2."""
    if argv is None and sys.getfilesystemencoding() == "ascii":  # LC_ALL=C and PYTHONUTF8=0
        _start_again_with_utf8()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # show what its encoding lacks as \uXXXX
            stream.reconfigure(errors="backslashreplace")
    handlers = _interrupt_on_stop()
    try:
        return _run_or_say_why_not(argv, handlers)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run_or_say_why_not(argv: Sequence[str] | None, stops: Iterable[int]) -> int:
    name, code = "msm4sr", 2
    try:
        args = build_parser().parse_args(argv)
        name = f"msm4sr {args.command}"
        done = run_command(args)
        if sys.stdout:
            sys.stdout.flush()  # a full disk is noticed here
        return done
    except UserError as error:
        message = str(error)
    except BrokenPipeError:  # nobody reads on: `| head -1`
        return 0
    except OSError as error:  # a folder that may not be written to, a full disk
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        message = f"{place}{error.strerror or error}"
    except UnicodeError as error:
        message = f"a name or a text that UTF-8 cannot hold ({error})"
    except (MemoryError, RuntimeError) as error:  # PyTorch reports it as RuntimeError
        known = ("out of memory", "allocate memory")
        if isinstance(error, RuntimeError) and not any(text in str(error) for text in known):
            raise
        details = f" ({first_line(error)})" if str(error) else ""
        message = f"not enough memory{details}; give a smaller dataset, model or batch"
    except KeyboardInterrupt as stop:  # its argument is the number of the signal
        code = 128 + next((n for n in stop.args if isinstance(n, int)), signal.SIGINT)
        message = "stopped; finished work is kept, if any; run the command again to resume"
    finally:
        for number in stops:  # it ends anyway, after it has said why
            signal.signal(number, signal.SIG_IGN)
        _drop_unwritten()
    process = f" (process {rank})" if (rank := os.environ.get("RANK", "0")) != "0" else ""
    if sys.stderr:
        print(one_line(f"{name}{process}: {message}"), file=sys.stderr)
    return code


def _start_again_with_utf8() -> None:
    """Start this command again such that it can name every file; its output stays ASCII."""
    os.environ |= {"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(number)


def _interrupt_on_stop() -> dict[int, Any]:
    """Let SIGTERM and SIGHUP act like Ctrl-C, so that drafts are removed; return old handlers."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        return {}
    default = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    return {number: signal.signal(number, _interrupt) for number in default}


def _drop_unwritten() -> None:
    """Drop what cannot be printed, such as to a closed pipe, so that Python's end does not fail."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
