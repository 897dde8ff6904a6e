"""Set up and run the course: ``python run.py setup | lab | workshop | course | test | check``.

Needs Python 3.11 or newer and nothing else. The first call makes the folder ``.venv`` beside this
file and installs into it exactly what ``constraints.txt`` pins; later calls start at once.
This file and ``launch/`` stay readable for Python 3.8, so that it can say that it is too old.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

from launch.console import SetupError, say
from launch.environment import Environment
from launch.machine import COURSE, DEV, check_python
from launch.stages import (
    AGAIN,
    OTHER_CPU,
    TRAINING,
    TWO_THREADS,
    notebook_stages,
    run_stages,
    static_stages,
    unit_stage,
)

ROOT = Path(__file__).resolve().parent
FIRST_NOTEBOOK = "notebooks/00_start_here.ipynb"
DEMO = "notebooks/11_workshop_demo.ipynb"


def setup(options: argparse.Namespace) -> int:
    """Prepare .venv and say that it is ready."""
    python = interpreter(options, DEV if options.dev else COURSE, "jupyterlab")
    say(f"Ready: {python}\nNext:  python run.py lab")
    return 0


def lab(options: argparse.Namespace) -> int:
    """Open JupyterLab at the first notebook."""
    python = interpreter(options, COURSE, "jupyterlab")
    # -P: a file here that is called like a package must not take its place. Of the log, only what
    # matters: warnings, and the address.
    command = [str(python), "-P", "-m", "jupyterlab", "--log-level=WARN"]
    command.append(f"--ServerApp.root_dir={ROOT}")
    command.append(f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}")
    command += [f"--ServerApp.port={options.port}"] if options.port else []
    command += ["--no-browser"] if options.no_browser else []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        say("JupyterLab runs as root, because you are root; only this machine can reach it.")
        command.append("--allow-root")
    say("JupyterLab is starting; Ctrl-C here stops it.")
    return become(command, child_environment(python, offline=False))


def workshop(options: argparse.Namespace) -> int:
    """Show the demo as a page without code, to several visitors at once (Voila)."""
    python = interpreter(options, COURSE, "voila")
    command = [str(python), "-P", "-m", "voila", DEMO, f"--port={options.port or 8866}"]
    # A visitor gets a kernel that has run the notebook already, so the page is there at once.
    command += ["--preheat_kernel=True", f"--pool_size={options.visitors}"]
    command += ["--no-browser"] if options.no_browser or options.share else []
    if options.share:
        command.append("--Voila.ip=0.0.0.0")
        say("Whoever can reach this machine over the network can open the demo.")
    say(f"{options.visitors} visitors are prepared for, about 0.5 GB each; Ctrl-C here stops it.")
    return become(command, child_environment(python, offline=True))


def course(options: argparse.Namespace) -> int:
    """Run all notebooks unattended; executed copies and HTML go to build/course."""
    python = interpreter(options, COURSE, "nbclient")
    command = [str(python), "-m", "course.run_all", "notebooks", "build/course"]
    return become(command, child_environment(python, offline=True))


def test(options: argparse.Namespace) -> int:
    """Run format, lint, types, spelling, unit tests and notebooks."""
    python = interpreter(options, DEV, "pytest")
    notebooks = ROOT / "notebooks"
    stages = [*static_stages(), unit_stage("" if options.all else "not slow", options.pytest)]
    stages += notebook_stages(notebooks)
    if options.all:
        stages += notebook_stages(notebooks, AGAIN)
        stages += notebook_stages(notebooks, TWO_THREADS, TRAINING)
        if platform.machine() in ("x86_64", "AMD64"):
            stages += notebook_stages(notebooks, OTHER_CPU)
    return run_stages(python, ROOT, stages, child_environment(python, offline=True))


def check(options: argparse.Namespace) -> int:
    """Run what belongs before a commit: format, lint, types, spelling, fast unit tests."""
    python = interpreter(options, DEV, "pytest")
    stages = [
        *static_stages(),
        unit_stage("not slow and not browser and not thorough", options.pytest),
    ]
    return run_stages(python, ROOT, stages, child_environment(python, offline=True))


COMMANDS = {run.__name__: run for run in (setup, lab, workshop, course, test, check)}


def interpreter(options: argparse.Namespace, extras: str, module: str) -> Path:
    """Return the Python to use: that of ``.venv``, or with --no-venv this one."""
    if not options.no_venv:
        return Environment(ROOT).prepare(extras, options.torch_index, options.fresh)
    if importlib.util.find_spec(module) is None:
        raise SetupError(
            f"--no-venv takes {sys.executable} as it is, and that has no {module}; "
            "leave --no-venv out, or install what environment.yml names"
        )
    return Path(sys.executable)


def child_environment(python: Path, offline: bool) -> dict[str, str]:
    """Return the environment of what is started: one thread, no network where none is needed.

    One thread is several times faster than two for models of this size on a busy machine; numbers
    that the user has set are kept.
    """
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment.setdefault(name, "1")
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    environment.setdefault("PYTHONUTF8", "1")
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # our kernel and settings come before the user's
    # The course is imported from where it lies, by whatever is started and wherever.
    paths = [str(ROOT / "notebooks"), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', '')}"
    if offline:
        environment["HF_HUB_OFFLINE"] = "1"
    return environment


def become(command: list[str], environment: dict[str, str]) -> int:
    """Hand over to a command that talks to the user itself, Ctrl-C and all."""
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child has seen it too and may want to ask
            continue


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what follows ``--`` goes to pytest."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--torch-index",
        metavar="URL",
        default=os.environ.get("MSM4SR_TORCH_INDEX") or None,
        help="take PyTorch, and only that, from this package index: another build of it",
    )
    common.add_argument("--fresh", action="store_true", help="delete .venv and set it up anew")
    common.add_argument(
        "--no-venv",
        action="store_true",
        default=os.environ.get("MSM4SR_NO_VENV", "0") not in ("", "0"),
        help="use this Python as it is and install nothing (conda users: see environment.yml)",
    )
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Set up and run the course.",
        epilog="What follows -- is passed to pytest: python run.py test -- -k mixup",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = {
        name: commands.add_parser(
            name, parents=[common], help=command.__doc__, description=command.__doc__
        ).add_argument
        for name, command in COMMANDS.items()
    }
    add["setup"]("--dev", action="store_true", help="also install what `test` needs")
    add["lab"]("--port", type=int, help="default: 8888, or the next one that is free")
    add["lab"]("--no-browser", action="store_true", help="serve, and open no browser")
    add["workshop"]("--port", type=int, help="default: 8866")
    add["workshop"]("--no-browser", action="store_true", help="serve, and open no browser")
    add["workshop"]("--visitors", type=int, default=5, help="at once, without waiting (default: 5)")
    add["workshop"](
        "--share", action="store_true", help="let others in this network open it (default: no)"
    )
    add["test"]("--all", action="store_true", help="the slow tests too: the job of a release")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.pytest = arguments[end + 1 :]
    if options.pytest and options.command not in ("test", "check"):
        parser.error(f"{options.command} takes nothing after --")
    return options


def main(arguments: list[str]) -> int:
    """Run one command; 2 means that the set-up failed, for the reason given in one line."""
    try:
        check_python(sys.version_info[:2])
        options = parse(arguments)
        return COMMANDS[options.command](options)
    except SetupError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrun.py: stopped; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
