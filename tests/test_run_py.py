"""``run.py`` and its stages: PyTorch's build, set-up, repair, each error line, what is started.

The set-ups are real: a small checkout, pip, and a package index on this machine. Its PyTorch and
its package are empty, so each takes seconds and needs no network.
"""

from __future__ import annotations

import ast
import functools
import http.server
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stages
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import run

ROOT = Path(__file__).resolve().parents[1]
SOURCE = (ROOT / "run.py").read_text(encoding="utf-8")
PIN = "torch==2.13.0"
CLOSED = "http://127.0.0.1:9"  # no server listens on the port "discard"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a choice of builds")

# A build backend without dependencies: a wheel of metadata alone.
BACKEND = """\
import zipfile
from pathlib import Path

def build_editable(folder, settings=None, metadata=None):
    name = "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder, name), "w") as wheel:
        info = "small-1.0.dist-info/"
        text = "Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\nRequires-Dist: torch\\n"
        text += "Provides-Extra: course\\nProvides-Extra: dev\\n"
        wheel.writestr(info + "METADATA", text)
        tag = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", tag)
        wheel.writestr(info + "RECORD", "")
    return name
"""


def make_wheel(folder: Path, version: str, tag: str = "") -> Path:
    """Write an empty PyTorch."""
    python = "cp{}{}".format(*sys.version_info)
    tag = tag or f"{python}-{python}-linux_{platform.machine()}"
    path = folder / f"torch-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        info = f"torch-{version}.dist-info/"
        wheel.writestr("torch.py", f"__version__ = {version!r}\n")
        wheel.writestr(
            info + "METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        wheel.writestr(info + "WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(info + "RECORD", "")
    return path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; everything below /refused is refused."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/refused"):
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, *words: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A package index with builds of PyTorch: ``/cpu`` has 2.13.0+cpu, ``/usual`` has 2.13.0."""
    folder = tmp_path / "index"
    make_wheel(folder / "cpu" / "torch", "2.13.0+cpu")
    make_wheel(folder / "usual" / "torch", "2.13.0", "py3-none-any")
    make_wheel(folder / "old" / "torch", "2.12.0+cpu")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
    )
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", asked=server.asked)  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


# --- The build of PyTorch -----------------------------------------------------------------------


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(run, "Path", lambda name: Path("/nowhere"))


@linux
@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize("choice", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_index_is_used_if_it_answers(
    choice: str, index: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CPU_INDEX", f"{index.url}/cpu")
    assert run.find_index(choice, PIN) == f"{index.url}/cpu"
    assert index.asked == ["/cpu/torch/"]


@linux
@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize("place", ["/refused", "/nothing", "/old", "closed", "silent"])
def test_an_index_that_cannot_help_is_left_within_ten_seconds(
    place: str,
    index: SimpleNamespace,
    silent: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = {"closed": CLOSED, "silent": silent}.get(place, index.url + place)
    monkeypatch.setattr(run, "CPU_INDEX", address)
    started = time.perf_counter()
    assert run.find_index("auto", PIN) == ""
    assert time.perf_counter() - started < 10
    assert f"{address} does not answer or lacks {PIN}" in capsys.readouterr().out


@linux
def test_with_a_gpu_pips_default_is_used_unless_told_otherwise(
    index: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CPU_INDEX", f"{index.url}/cpu")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert run.find_index("auto", PIN) == ""
    assert run.find_index("cuda", PIN) == ""
    assert run.find_index("cpu", PIN) == f"{index.url}/cpu"
    assert run.find_index("http://a/b", PIN) == "http://a/b"


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_need_no_choice(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert [run.find_index(choice, PIN) for choice in ("auto", "cpu")] == [""] * 2
    with pytest.raises(run.SetupError, match="give --torch URL"):
        run.find_index("cuda", PIN)


# --- Set-up -------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, index: SimpleNamespace) -> SimpleNamespace:
    """A checkout whose package is empty, and ``run.py`` in it as a process of its own."""
    folder = tmp_path / "check out [1] #%20;é"
    folder.mkdir()
    cpu = f'CPU_INDEX = "{index.url}/cpu"'
    source = SOURCE.replace('CPU_INDEX = "https://download.pytorch.org/whl/cpu"', cpu)
    assert cpu in source
    (folder / "run.py").write_text(source, encoding="utf-8")
    (folder / "constraints.txt").write_text(f"{PIN}\n", encoding="utf-8")
    (folder / "requirements-minilm.txt").touch()
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    text = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    variables = {**quiet, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{index.url}/usual"}
    python = folder / run.PYTHON.relative_to(ROOT)

    def call(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(folder / "run.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=variables)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def torch() -> str:
        show = [str(python), "-c", "import torch; print(torch.__version__)"]
        return subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()

    return SimpleNamespace(folder=folder, call=call, torch=torch, variables=variables)


@linux
def test_a_set_up_is_made_once_kept_changed_and_repaired(
    checkout: SimpleNamespace, index: SimpleNamespace
) -> None:
    done = checkout.call("setup", "--torch", "cpu")
    assert "Ready: " in done.stdout, done.stderr
    assert checkout.torch() == "2.13.0+cpu"
    assert [path for path in index.asked if path.startswith("/usual")] == []
    assert not (checkout.folder / "build" / "set_up.lock").exists()
    config = checkout.folder / ".venv" / "etc" / "ipython" / "ipython_kernel_config.json"
    (line,) = json.loads(config.read_text("utf-8"))["IPKernelApp"]["exec_lines"]
    assert ast.literal_eval(line.partition("append")[2]) == str(checkout.folder / "notebooks")

    index.asked.clear()
    started = time.perf_counter()
    again = checkout.call("setup")
    assert time.perf_counter() - started < 1
    assert again.stdout.startswith("Ready: ")
    assert index.asked == []

    stamp = checkout.folder / ".venv" / "set_up.json"
    kept = stamp.read_text("utf-8")
    checkout.variables["PIP_RETRIES"] = "1"
    failed = checkout.call("setup", "--dev", "--torch", CLOSED, code=2)
    assert failed.stderr.splitlines()[-1].startswith("run.py: no network: ")
    assert stamp.read_text("utf-8") == kept  # nothing is forgotten, and nothing new remembered
    assert checkout.call("setup").stdout.startswith("Ready: ")
    assert checkout.torch() == "2.13.0+cpu"

    checkout.call("setup", "--torch", f"{index.url}/usual", "--dev")  # in place
    assert checkout.torch() == "2.13.0"
    assert json.loads(stamp.read_text("utf-8"))["extras"] == "course,dev,docs,parquet"
    assert checkout.call("setup").stdout.startswith("Ready: ")  # more than `setup` needs is there

    content = json.loads(stamp.read_text("utf-8"))
    content["pins"] = "of another version of this file"
    del content["torch"]  # as in the stamps of earlier versions of run.py
    stamp.write_text(json.dumps(content), encoding="utf-8")
    checkout.variables["PIP_INDEX_URL"] = CLOSED  # all is there, so no network is needed
    assert "Updating" in checkout.call("setup").stdout
    checkout.variables["PIP_INDEX_URL"] = f"{index.url}/usual"

    stamp.write_text("{", encoding="utf-8")
    (checkout.folder / ".venv" / "left").touch()
    assert "was not made by run.py" in checkout.call("setup", code=2).stderr
    done = checkout.call("setup", "--torch", "cpu", "--fresh")
    assert "Setting up" in done.stdout
    assert not (checkout.folder / ".venv" / "left").exists()
    assert checkout.torch() == "2.13.0+cpu"

    moved = checkout.folder.rename(checkout.folder.with_name("moved"))
    command = [sys.executable, str(moved / "run.py"), "setup"]
    told = subprocess.check_output(command, text=True, env=checkout.variables)
    assert "Setting up" in told
    assert str(moved) in told.splitlines()[-1]
    assert json.loads((moved / ".venv" / "set_up.json").read_text("utf-8"))["torch"] == "cpu"
    subprocess.run([*command, "--fresh"], check=True, env=checkout.variables)
    assert json.loads((moved / ".venv" / "set_up.json").read_text("utf-8"))["torch"] == "auto"


@linux
@pytest.mark.parametrize("when", [pytest.param("venv", marks=pytest.mark.slow), "pip"])
def test_an_interrupted_set_up_is_repaired(
    when: str, checkout: SimpleNamespace, silent: str
) -> None:
    """Killed while the environment is made, and while pip waits for an index."""
    command = [sys.executable, str(checkout.folder / "run.py"), "setup", "--torch", silent]
    process = subprocess.Popen(command, env=checkout.variables, start_new_session=True)
    sign = checkout.folder / ".venv" / ("pyvenv.cfg" if when == "venv" else "set_up.json")
    for _ in range(600):
        if sign.exists():
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert sign.exists()
    assert (checkout.folder / ".venv" / "set_up.json").exists()
    assert (checkout.folder / "build" / "set_up.lock").exists()  # of a dead process
    done = checkout.call("setup", "--torch", "cpu")
    assert "Setting up" in done.stdout
    assert checkout.torch() == "2.13.0+cpu"


def test_what_run_py_did_not_make_is_kept(checkout: SimpleNamespace) -> None:
    venv = checkout.folder / ".venv"
    venv.write_text("mine", encoding="utf-8")
    refused = "was not made by run.py; move it away"
    assert refused in checkout.call("setup", code=2).stderr
    venv.unlink()
    (checkout.folder / "other").mkdir()
    venv.symlink_to("other")
    assert refused in checkout.call("setup", "--fresh", code=2).stderr
    venv.unlink()
    venv.mkdir()
    (venv / "mine").touch()
    assert refused in checkout.call("setup", code=2).stderr
    assert (venv / "mine").exists()


@linux
def test_one_process_at_a_time_sets_up(checkout: SimpleNamespace) -> None:
    lock = checkout.folder / "build" / "set_up.lock"
    lock.parent.mkdir()
    lock.write_text(str(os.getpid()), encoding="utf-8")
    told = checkout.call("setup", code=2).stderr
    assert f"another run.py (pid {os.getpid()}) is setting up; wait for it" in told
    assert lock.exists()
    assert not (checkout.folder / ".venv").exists()


def test_constraints_without_torch_are_one_line(checkout: SimpleNamespace) -> None:
    (checkout.folder / "constraints.txt").write_text("numpy==2.0\n", encoding="utf-8")
    assert "has no line torch==VERSION" in checkout.call("setup", code=2).stderr


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (CLOSED, "^no network: pip cannot reach its index"),
        ("/usual", "^pip failed: .*torch==9.9"),
        ("/refused", "^pip failed: .*torch==9.9"),
    ],
)
def test_what_pip_cannot_get_is_one_line(
    address: str, line: str, index: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    url = index.url + address if address.startswith("/") else address
    python_pip = [sys.executable, "-m", "pip"]
    with pytest.raises(run.SetupError, match=line) as error:
        run.pip("--dry-run", "--index-url", url, "torch==9.9", command=python_pip)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "no disk space"),
        ("ERROR: first\nERROR: help", "pip failed: first"),
        ("", "pip failed: see above"),
    ],
)
def test_each_failure_of_pip_has_its_line(said: str, line: str) -> None:
    script = f"import sys; print({said!r}, file=sys.stderr); sys.exit(1)"
    with pytest.raises(run.SetupError, match=line) as error:
        run.pip(command=[sys.executable, "-c", script])
    assert "\n" not in str(error.value)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing was made, for ``run.prepare`` in this process."""
    for name in ("constraints.txt", "requirements-minilm.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    venv = tmp_path / ".venv"
    places = {"ROOT": tmp_path, "VENV": venv, "PYTHON": venv / "python"}
    places |= {"STAMP": venv / "set_up.json", "LOCK": tmp_path / "build" / "set_up.lock"}
    for name, place in places.items():
        monkeypatch.setattr(run, name, place)
    return tmp_path


@pytest.mark.parametrize(("choice", "need"), [("http://a/b", 3.0), ("cuda", 7.5)])
def test_a_full_disk_is_refused_before_anything_is_made(
    choice: str, need: float, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e9))
    with pytest.raises(run.SetupError, match=f"no disk space: .* needs {need} GB and has 1.0 GB"):
        run.prepare(run.COURSE, choice, fresh=False)
    assert not run.VENV.exists()
    assert not run.LOCK.exists()


@pytest.mark.parametrize(("changed", "need"), [("pins", 1.0), ("torch", 3.0), ("pin", 3.0)])
def test_an_update_that_fetches_pytorch_needs_more_disk(
    changed: str, need: float, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e8))
    wanted = {"torch": "http://a/b", "pin": PIN, "pins": "new"}
    with pytest.raises(run.SetupError, match=f"needs {need} GB"):
        run.install({**wanted, changed: "old"}, wanted, update=True)


@pytest.mark.parametrize(("name", "value"), [("platform", "darwin"), ("maxsize", 2**31 - 1)])
def test_machines_without_pytorch_are_refused(
    name: str, value: Any, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, name, value)
    with pytest.raises(run.SetupError, match="32-bit Python or for a Mac with Intel"):
        run.prepare(run.COURSE, None, fresh=False)
    assert not run.VENV.exists()


def test_the_environment_that_runs_this_is_not_deleted(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(run.PYTHON))
    with pytest.raises(run.SetupError, match="is in use; delete"):
        run.prepare(run.COURSE, None, fresh=True)


def test_python_without_ensurepip_uses_its_own_pip_or_says_how_to_get_one(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: name if name == "pip" else None)
    calls: list[Any] = []
    monkeypatch.setattr(run, "pip", lambda *names, command: calls.append((names, command)))
    run.make_venv({})
    assert (run.VENV / "pyvenv.cfg").exists()
    assert calls == [
        (("pip",), [sys.executable, "-m", "pip", "--python", str(run.PYTHON)]),
    ]
    monkeypatch.setattr(subprocess, "call", lambda command: 1)
    with pytest.raises(run.SetupError, match="sudo apt install python3-venv"):
        run.make_venv({})


# --- Python -------------------------------------------------------------------------------------


def test_an_old_python_can_read_it_and_nothing_must_be_installed() -> None:
    imported = set()
    for node in ast.walk(ast.parse(SOURCE, feature_version=(3, 8))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names
    assert len(SOURCE.splitlines()) <= 250


@pytest.mark.parametrize(
    ("version", "refused"), [((3, 8), True), ((3, 11), False), ((3, 13), False), ((3, 14), True)]
)
def test_a_python_that_is_not_tested_is_refused_in_one_line(
    version: tuple[int, int],
    refused: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(run, "parse", lambda arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run.main([]) == (2 if refused else 130)
    line = capsys.readouterr().err
    assert ("Python 3.11 to 3.13 is needed, not " in line) is refused
    assert line.count("\n") == 1


# --- Commands -----------------------------------------------------------------------------------


def test_arguments() -> None:
    options = run.parse(["test", "--all", "--torch", "cpu", "--", "-k", "mixup"])
    assert (options.command, options.all, options.torch) == ("test", True, "cpu")
    assert options.pytest == ["-k", "mixup"]
    assert run.parse(["lab", "--port", "9000", "--no-browser"]).port == 9000
    options = run.parse(["setup", "--dev", "--no-venv"])
    assert (options.dev, options.torch, options.no_venv) == (True, None, True)


def test_a_set_up_that_fails_is_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: Any) -> None:
        raise run.SetupError("no network: connect")

    monkeypatch.setattr(run, "prepare", fail)
    assert run.main(["lab"]) == 2
    assert capsys.readouterr().err == "run.py: no network: connect\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["lab", "--", "-k", "x"],
        ["fly"],
        [],
        ["lab", "--port", "x"],
        ["lab", "--all"],
        ["course"],
        ["lab", "--torch", "cdua"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.parse(arguments)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record what would be set up and what would be started."""
    calls: list[Any] = []
    monkeypatch.setattr(run, "prepare", lambda extras, torch, fresh: calls.append(extras))
    monkeypatch.setattr(run, "start", lambda *call: calls.append(call) or 0)
    return calls


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        (["setup"], run.COURSE),
        (["setup", "--dev"], run.DEV),
        (["lab"], run.COURSE),
        (["workshop"], run.COURSE),
        (["docs"], run.DOCS),
        (["test"], run.DEV),
        (["check"], run.DEV),
    ],
)
def test_each_command_gets_the_extras_it_needs(
    arguments: list[str], extras: str, started: list[Any]
) -> None:
    assert run.main(arguments) == 0
    assert started[0] == extras
    assert started[1][0] == run.PYTHON


def test_lab_starts_the_course_with_what_jupyterlab_is_told(started: list[Any]) -> None:
    run.main(["lab", "--no-venv", "--port", "9000", "--no-browser"])
    assert started == [
        (Path(sys.executable), ["-P", "-m", "course.lab", "--port=9000", "--no-browser"])
    ]


@pytest.mark.parametrize(
    "words",
    ["lab --port 99999", "workshop --port -1", "workshop --visitors 0", "workshop --visitors -3"],
)
def test_ports_and_visitors_that_cannot_be_are_refused(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run.parse(words.split())
    assert end.value.code == 2
    line = "error: --port takes 0 (any that is free) to 65535, --visitors 1 or more\n"
    assert capsys.readouterr().err.endswith(line)


@pytest.mark.parametrize(("port", "flag"), [("0", ["--port=0"]), ("65535", ["--port=65535"])])
def test_a_port_is_handed_on(port: str, flag: list[str]) -> None:
    command = run.command_for(run.parse(["lab", "--port", port]))
    assert [word for word in command if "--port" in word] == flag


def test_the_workshop_prepares_for_its_visitors(
    started: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run.main(["workshop", "--no-venv", "--visitors", "3"])
    run.main(["workshop", "--no-venv", "--share", "--port", "9001"])
    (_, alone), (_, shared) = started
    assert alone[:3] == ["-P", "-m", "voila"]
    assert (ROOT / alone[3]).is_file()
    assert {"--preheat_kernel=True", "--pool_size=3"} < {*alone}
    assert not any("ip=" in word for word in alone)  # nobody else unless asked for
    assert {"--Voila.ip=0.0.0.0", "--port=9001", "--pool_size=5", "--no-browser"} < {*shared}
    assert capsys.readouterr().out.count("over the network") == 1


def test_no_venv_names_what_is_missing(
    started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"jupyterlab", "torch"}
    monkeypatch.setattr(run, "find_spec", lambda name: None if name in gone else name)
    assert run.main(["lab", "--no-venv"]) == 2
    line = f'lacks jupyterlab, torch; in {ROOT}: pip install -c constraints.txt -e ".[course]"\n'
    assert capsys.readouterr().err == f"run.py: {sys.executable} {line}"
    assert started == []
    gone.remove("torch")
    assert run.main(["workshop", "--no-venv"]) == 0


def test_what_no_venv_looks_for_brings_all_that_notebooks_import() -> None:
    """Its packages, and those that they require in turn."""
    owners = metadata.packages_distributions()
    waiting = [owners[name][0] for name in (run.COMMANDS["lab"][2], *run.BASE.split())]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            needed = [Requirement(text) for text in metadata.requires(name) or []]
            waiting += [canonicalize_name(one.name) for one in needed if not one.marker]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["notebooks"]
    assert {canonicalize_name(Requirement(text).name) for text in needed} <= {
        canonicalize_name(name) for name in found
    }


def test_docs_name_the_page_to_open(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["docs", "--no-venv"]) == 0
    ((_, command),) = started
    assert command[:3] == ["-m", "sphinx", "-W"]
    assert command[-2:] == ["docs", "build/site"]
    assert capsys.readouterr().out.strip() == str(ROOT / "build" / "site" / "index.html")


def test_what_is_started_gets_one_thread_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for name in ("NUMBA_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    show = "import json, os; print(json.dumps(dict(os.environ))); raise SystemExit(5)"
    try:
        assert run.start(Path(sys.executable), ["-c", show]) == 5
        assert run.start(Path(sys.executable), ["-c", show, "course.lab"]) == 5
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    first, lab = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert (first["OMP_NUM_THREADS"], first["NUMBA_NUM_THREADS"]) == ("4", "1")
    assert first["PATH"].startswith(str(Path(sys.executable).parent))
    assert first["PYTHONPATH"].startswith(str(ROOT / "notebooks"))
    assert first["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in lab


# --- Stages -------------------------------------------------------------------------------------

SHARED = ["-n", "2", "--dist", "worksteal", "-p", "no:nbval"]  # two processes share the unit tests
STATIC = ["format", "lint", "types", "spelling", "unit tests"]
SITE = ["site", "tests of the site"]


def test_run_py_hands_the_stages_over(started: list[Any]) -> None:
    for words in (["test", "--", "-k", "mixup"], ["test", "--all"], ["check"]):
        run.main([words[0], "--no-venv", *words[1:]])
    commands = [command[1:] for _, command in started]
    assert commands == [["test", "-k", "mixup"], ["all"], ["check"]]
    assert {command[0] for _, command in started} == {"tests/stages.py"}
    assert {command[0] for command in commands} == stages.MARKS.keys()


@pytest.mark.parametrize(
    ("command", "marks", "others"),
    [
        ("check", "not slow and not browser and not thorough", []),
        ("test", "not slow", ["robustness", *SITE, "notebooks"]),
    ],
)
def test_check_and_test_leave_out_what_is_slow(
    command: str, marks: str, others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = stages.stages_of(command, ["-k", "mixup"])
    assert [stage.name for stage in found[:5]] == STATIC
    assert found[4].command == ["pytest", "-q", *SHARED, "-m", marks, "-k", "mixup"]
    assert [stage.name for stage in found[5:]] == others
    monkeypatch.setattr(sys, "platform", "win32")
    found = stages.stages_of(command, [])
    assert [stage.name for stage in found[5:]] == [o for o in others if o != "robustness"]


def test_the_site_is_built_as_by_docs_and_tested(started: list[Any]) -> None:
    run.main(["docs", "--no-venv"])
    (_, command), (build, tests) = started[0], stages.SITE
    assert ["-m", *build.command] == command
    assert tests.command[-1] == "tests/site"
    assert set(SITE) < {stage.name for stage in stages.stages_of("all", [])}


def test_the_texts_of_all_numbered_notebooks_are_compared(tmp_path: Path) -> None:
    assert stages.notebook_stages(tmp_path) == []
    for name in ("00_start_here", "02_keywords", "04_mixup", "scratch"):
        (tmp_path / f"{name}.ipynb").touch()
    (stage,) = stages.notebook_stages(tmp_path)
    assert "--nbval" in stage.command
    assert [Path(part).name[:2] for part in stage.command[-3:]] == ["00", "02", "04"]
    (stage,) = stages.notebook_stages(tmp_path, numbers=("02",))
    assert [Path(part).name[:2] for part in stage.command if ".ipynb" in part] == ["02"]


def test_all_runs_notebooks_again_with_two_threads_and_as_on_another_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    found = stages.stages_of("all", [])
    assert found[4].command[-2:] == ["-m", ""]
    assert found[5].command == ["tests.robustness", "--n", "4000"]
    ways = {stage.name: stage for stage in found[8:]}
    assert list(ways) == [
        f"notebooks{way}" for way in ("", ", again", ", two threads", ", other CPU")
    ]
    once, again, two, other = ways.values()
    assert once.command == again.command == other.command
    assert other.variables["NUMBA_CPU_NAME"] == "generic"
    assert [Path(part).name[:2] for part in two.command[-3:]] == ["06", "07", "08"]
    assert two.variables["OMP_NUM_THREADS"] == "2"
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert not [s for s in stages.stages_of("all", []) if s.name.endswith("other CPU")]


def test_a_failed_stage_stops_no_other_and_fails_the_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    (tmp_path / "works.py").write_text("print('worked')\n", encoding="utf-8")
    bad, good = stages.Stage("bad", ["fails"], {}), stages.Stage("good", ["works"], {})
    assert stages.run_stages([bad, good], tmp_path) == 1
    printed = capfd.readouterr().out
    assert "worked" in printed
    rows = [line.split()[:2] for line in printed.splitlines()[-4:]]
    assert rows[:3] == [["stage", "result"], ["bad", "FAILED"], ["good", "ok"]]
    assert stages.run_stages([good], tmp_path) == 0
