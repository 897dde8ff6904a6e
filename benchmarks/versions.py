"""Run the same work with version 1 and with this checkout, each in its own process.

Version 1 is taken from git and unpacked into a temporary folder. ``Version`` starts a worker
(``benchmarks.version_worker``) and sends it one request at a time. The worker imports
``msm4sr_lite`` from the temporary folder or from this checkout.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERSION_1 = "d06bd7a3a922c0effcf4679d5383c365f46a73c8"
NAMES = ("version 1", "this checkout")


def unpack_version_1(folder: Path) -> Path:
    """Write the package and the sample of version 1, from git, to ``folder``."""
    command = ["git", "archive", VERSION_1, "msm4sr_lite", "data_samples/corner_shop"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if found.returncode != 0:
        sys.exit(
            f"version 1 is commit {VERSION_1}, which this clone does not have"
            f" ({found.stderr.decode().strip()}); get all commits: git fetch --unshallow"
        )
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Version:
    """A worker process that runs one version of the package, on one thread.

    Parameters
    ----------
    name
        One of ``NAMES``.
    folder
        Folder that holds this version's ``msm4sr_lite``.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        path = os.pathsep.join([str(folder), str(ROOT)])  # `benchmarks` comes from this checkout
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", "benchmarks.version_worker", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        home = Path(self.ask("home"))
        if home.parent != folder.resolve():
            raise RuntimeError(f"{name} was imported from {home}, not from {folder}")

    def ask(self, method: str, **arguments: Any) -> Any:
        """Call a method of the worker and return its result, which is plain JSON."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([method, arguments]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: the worker stopped; its error stands above")
        return json.loads(answer)

    def close(self) -> None:
        """End the worker."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
