"""Run pip: show the large downloads, keep all its words in a log, explain failures in one line."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

from launch.console import SetupError, say

NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    "|Failed to establish|Network is unreachable|getaddrinfo failed|Max retries exceeded"
    "|Connection (?:refused|reset|aborted|broken)|certificate verify failed"
)


def run_pip(command: list[str], log: Path) -> None:
    """Run a pip command to its end; raise SetupError if it fails."""
    environment = dict(
        os.environ, PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1"
    )
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME"):  # would go astray
        environment.pop(name, None)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    lines = []
    with process, log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n")
        for line in process.stdout or ():
            file.write(line)
            lines.append(line)
            if progress(line):
                say("  " + progress(line))
    if process.returncode != 0:
        raise SetupError(f"{explain(''.join(lines))} (all of pip's words: {log})")


def progress(line: str) -> str:
    """Turn a line of pip into a line for the user; most are not worth one."""
    wheel = r"\s*Downloading (?:\S+/)?([^/\s]+?)-(\d[^-\s]*)-\S+ \(([\d.]+) ([MG]B)\)"
    download = re.match(wheel, unquote(line))
    if download and (download[4] == "GB" or float(download[3]) >= 5):
        return "downloading {} {} ({} {})".format(*download.groups())
    if line.startswith("Installing collected packages:") and "," in line:
        return f"unpacking {line.count(',') + 1} packages"
    return ""


def explain(output: str) -> str:
    """Turn what a failing pip printed into the one line that helps."""
    if "No space left on device" in output or "Errno 28" in output:
        return "no disk space: pip could not write; make room, also where TMPDIR is, and run again"
    if NO_NETWORK.search(output):
        return (
            "no network: pip could not reach its package index; connect, or tell pip of your proxy "
            "or mirror (HTTPS_PROXY, PIP_INDEX_URL), and run again to go on from here"
        )
    missing = re.search("No matching distribution found for (.+)", output)
    if missing:
        return (
            f"pip found no {missing[1].strip()} for Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}; Python 3.11 to 3.13 are tested "
            "(or the index was not reached)"
        )
    errors = re.findall("^ERROR: (.+)", output, re.M) or ["it stopped without a word"]
    return f"pip failed: {errors[-1].strip()}"
