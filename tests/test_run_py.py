"""``run.py`` and ``launch/``: arguments, the stamp, each error line, the stages, the hand-over."""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import run
from launch import environment, installer, machine, stages
from launch.console import SetupError
from launch.environment import Environment
from launch.machine import COURSE, DEV

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "run.py", *sorted((ROOT / "launch").glob("*.py"))]
posix = pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")


@pytest.fixture
def checkout(tmp_path: Path) -> Environment:
    """A checkout with pins of its own and no ``.venv``."""
    (tmp_path / "constraints.txt").write_text("numpy==2.0\ntorch==2.13.0\n", encoding="utf-8")
    for name in ("requirements-minilm.txt", "pyproject.toml"):
        (tmp_path / name).write_text("x\n", encoding="utf-8")
    return Environment(tmp_path)


@pytest.fixture
def installed(checkout: Environment, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record what would be installed into ``checkout``, and install nothing."""
    commands: list[list[str]] = []

    def make(self: Environment) -> None:
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.touch()

    monkeypatch.setattr(Environment, "make", make)
    monkeypatch.setattr(environment, "run_pip", lambda command, log: commands.append(command[5:]))
    return commands


def one_line(error: pytest.ExceptionInfo[SetupError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# --- The machine --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_an_old_python_can_read_it_and_nothing_must_be_installed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [
                alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)
            ]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names | {"launch"}


def test_old_python_is_refused_in_one_line() -> None:
    with pytest.raises(SetupError, match=r"3\.11 or newer is needed; this is 3\.9") as error:
        machine.check_python((3, 9))
    one_line(error)
    machine.check_python((3, 11))
    machine.check_python((3, 14))


def test_full_disk_is_refused_before_anything_is_made(
    checkout: Environment, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=0.3e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        SetupError, match=r"no disk space: [23]\.\d GB .* 0\.3 GB are free"
    ) as error:
        checkout.prepare(COURSE, None)
    one_line(error)
    assert not installed
    assert not checkout.folder.exists()
    usage.free = 9e9
    checkout.prepare(COURSE, None)
    usage.free = 0.3e9
    (checkout.root / "pyproject.toml").write_text("changed\n", encoding="utf-8")
    checkout.prepare(COURSE, None)  # little is downloaded for a change, so little need be free
    assert len(installed) == 6


def test_what_will_be_downloaded_is_said_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    machine.announce(COURSE, "", there="")
    assert "about 3.0 GB to download, 6.0 GB on disk" in capsys.readouterr().out
    machine.announce(DEV, "some-index", there="")
    assert capsys.readouterr().out == "  about 0.7 GB to download, 2.6 GB on disk\n"
    machine.announce(DEV, "", there=COURSE)
    assert capsys.readouterr().out == "  about 0.2 GB to download, 0.6 GB on disk\n"
    machine.announce(DEV, "", there=DEV)
    assert capsys.readouterr().out == "  only what is missing or has changed is downloaded\n"


# --- The stamp ----------------------------------------------------------------------------------


def test_second_start_installs_nothing(checkout: Environment, installed: list[list[str]]) -> None:
    assert checkout.prepare(COURSE, None) == checkout.python
    first = list(installed)
    assert [command[0] for command in first] == [
        "setuptools",
        "torch==2.13.0",
        "--no-build-isolation",
    ]
    checkout.prepare(COURSE, None)
    assert installed == first


def test_a_new_pin_installs_again_and_a_line_ending_does_not(
    checkout: Environment, installed: list[list[str]]
) -> None:
    checkout.prepare(COURSE, None)
    count = len(installed)
    pins = checkout.root / "constraints.txt"
    pins.write_bytes(b"numpy==2.0\r\ntorch==2.13.0\r\n")
    checkout.prepare(COURSE, None)
    assert len(installed) == count
    pins.write_bytes(b"numpy==2.1\ntorch==2.13.0\n")
    checkout.prepare(COURSE, None)
    assert len(installed) == 2 * count


def test_a_moved_checkout_is_installed_again(
    checkout: Environment, installed: list[list[str]], tmp_path: Path
) -> None:
    checkout.prepare(COURSE, None)
    installed.clear()
    there = tmp_path.parent / f"{tmp_path.name} moved"
    Environment(tmp_path.rename(there)).prepare(COURSE, None)
    assert f"{there}[{COURSE}]" in installed[2]


def test_what_test_needs_is_added_once_and_kept(
    checkout: Environment, installed: list[list[str]]
) -> None:
    checkout.prepare(COURSE, None)
    installed.clear()
    checkout.prepare(DEV, None)
    assert f"{checkout.root}[{DEV}]" in installed[2]
    assert installed[3][:2] == ["--require-hashes", "--no-deps"]
    installed.clear()
    checkout.prepare(COURSE, None)
    assert not installed


def test_torch_index_is_for_torch_alone_and_is_remembered(
    checkout: Environment, installed: list[list[str]]
) -> None:
    checkout.prepare(COURSE, "first-index")
    with_index = [command for command in installed if "--index-url" in command]
    assert with_index == [["torch==2.13.0", "--index-url", "first-index"]]
    installed.clear()
    checkout.prepare(COURSE, None)
    assert not installed
    checkout.prepare(COURSE, "second-index")
    assert installed[1] == ["torch==2.13.0", "--force-reinstall", "--index-url", "second-index"]


@pytest.mark.parametrize("step", range(3))
def test_an_interrupted_set_up_goes_on(
    checkout: Environment, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    record = environment.run_pip

    def stop(command: list[str], log: Path) -> None:
        if len(installed) == step:
            raise KeyboardInterrupt
        record(command, log)

    monkeypatch.setattr(environment, "run_pip", stop)
    with pytest.raises(KeyboardInterrupt):
        checkout.prepare(COURSE, None)
    assert not checkout.read_stamp()["pins"]
    installed.clear()
    monkeypatch.setattr(environment, "run_pip", record)
    checkout.prepare(COURSE, None)
    assert len(installed) == 3
    assert checkout.read_stamp()["pins"]


def test_a_spoilt_stamp_counts_as_none(checkout: Environment) -> None:
    checkout.folder.mkdir()
    (checkout.folder / "set_up.json").write_text("{", encoding="utf-8")
    assert checkout.read_stamp() == {}


def test_jupyterlab_asks_for_no_news(checkout: Environment, installed: list[list[str]]) -> None:
    checkout.prepare(COURSE, None)
    settings = checkout.folder / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    (values,) = json.loads(settings.read_text(encoding="utf-8")).values()
    assert values == {"fetchNews": "false", "checkForUpdates": False}


# --- The environment ----------------------------------------------------------------------------


def fake_python(checkout: Environment, script: str) -> None:
    checkout.python.parent.mkdir(parents=True)
    checkout.python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    checkout.python.chmod(0o755)


@posix
def test_a_broken_environment_is_said_to_be_broken(checkout: Environment) -> None:
    fake_python(checkout, "exit 1")
    with pytest.raises(SetupError, match=r"is broken; .* --fresh") as error:
        checkout.prepare(COURSE, None)
    one_line(error)


@posix
def test_an_environment_of_another_python_is_not_mixed(checkout: Environment) -> None:
    fake_python(checkout, "echo 3.7")
    with pytest.raises(SetupError, match=r"holds Python 3\.7, .* --fresh") as error:
        checkout.prepare(COURSE, None)
    one_line(error)


def test_fresh_deletes_the_old_environment_first(
    checkout: Environment, installed: list[list[str]]
) -> None:
    checkout.prepare(COURSE, "some-index")
    (checkout.folder / "old").touch()
    checkout.prepare(COURSE, None, fresh=True)
    assert not (checkout.folder / "old").exists()
    assert checkout.read_stamp()["torch_index"] == ""


def test_fresh_does_not_delete_the_python_that_runs_it(
    checkout: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(checkout.python))
    with pytest.raises(SetupError, match="--fresh would delete the Python that runs it") as error:
        checkout.prepare(COURSE, None, fresh=True)
    one_line(error)
    assert checkout.folder.exists()


def test_half_installed_packages_are_forgotten_and_whole_ones_kept(checkout: Environment) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout.folder], check=True)
    where = [checkout.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    for name, listed in (("whole", ["whole.py"]), ("half", ["half.py", "gone.py"]), ("begun", [])):
        (site / f"{name}.py").touch()
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="utf-8")
        if listed:
            (info / "RECORD").write_text("".join(f"{f},,\n" for f in listed), encoding="utf-8")
    subprocess.run([checkout.python, "-c", environment.FORGET_HALF_INSTALLED], check=True)
    assert [path.name for path in site.glob("*.dist-info")] == ["whole-1.0.dist-info"]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make this Python look as if it had no such modules."""

    def hide(*names: str) -> None:
        find = environment.importlib.util.find_spec
        monkeypatch.setattr(
            environment.importlib.util,
            "find_spec",
            lambda name: None if name in names else find(name),
        )

    return hide


def test_python_without_ensurepip_uses_its_own_pip(
    checkout: Environment, without: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("ensurepip")
    commands: list[list[str]] = []
    monkeypatch.setattr(environment, "run_pip", lambda command, log: commands.append(command))
    checkout.make()
    assert checkout.python.exists()
    assert commands == [
        [sys.executable, "-m", "pip", "--python", str(checkout.python), "install", "pip"]
    ]


def test_python_that_can_make_no_environment_is_told_how(
    checkout: Environment, without: Any
) -> None:
    without("ensurepip", "pip")
    with pytest.raises(SetupError, match="sudo apt install python3-venv") as error:
        checkout.make()
    one_line(error)


# --- pip ----------------------------------------------------------------------------------------


def test_no_network_is_one_line_and_the_rest_is_in_the_log(tmp_path: Path) -> None:
    closed = "http://127.0.0.1:9/simple"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries=1"]
    command += ["--index-url", closed, "--dest", str(tmp_path), "a-package-that-nobody-has"]
    log = tmp_path / "setup.log"
    with pytest.raises(SetupError, match="no network: pip could not reach") as error:
        installer.run_pip(command, log)
    assert str(log) in one_line(error)
    assert "a-package-that-nobody-has" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device\n", "no disk space"),
        ("WARNING: Retrying: NameResolutionError('...')\nERROR: No matching", "no network"),
        ("SSLError(certificate verify failed)\n", "no network"),
        (
            "ERROR: No matching distribution found for torch==2.13.0\n",
            "no torch==2.13.0 for Python",
        ),
        ("ERROR: first\nERROR: at last\n", "pip failed: at last"),
        ("", "pip failed: it stopped without a word"),
    ],
)
def test_each_failure_of_pip_has_its_line(output: str, line: str) -> None:
    assert line in installer.explain(output)
    assert "\n" not in installer.explain(output)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Downloading torch-2.13.0-cp311-x86_64.whl (526.9 MB)", "torch 2.13.0 (526.9 MB)"),
        ("Downloading big-1.0-py3-none-any.whl (1.2 GB)", "downloading big 1.0 (1.2 GB)"),
        (
            "  Downloading http://index/torch/torch-2.13.0%2Bcpu-cp311-x86_64.whl (191.8 MB)",
            "downloading torch 2.13.0+cpu (191.8 MB)",
        ),
        ("Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)", ""),
        ("Downloading tqdm-4.70-py3-none-any.whl (2.0 MB)", ""),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
        ("Requirement already satisfied: numpy", ""),
    ],
)
def test_only_large_downloads_are_shown(line: str, shown: str) -> None:
    assert installer.progress(line).endswith(shown)
    assert bool(installer.progress(line)) == bool(shown)


# --- Commands -----------------------------------------------------------------------------------


def test_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MSM4SR_TORCH_INDEX", "MSM4SR_NO_VENV"):
        monkeypatch.delenv(name, raising=False)
    options = run.parse(["test", "--all", "--torch-index", "U", "--", "-k", "mixup"])
    assert (options.command, options.all, options.torch_index) == ("test", True, "U")
    assert options.pytest == ["-k", "mixup"]
    assert not options.no_venv
    assert run.parse(["lab", "--port", "9000", "--no-browser"]).port == 9000
    monkeypatch.setenv("MSM4SR_TORCH_INDEX", "V")
    monkeypatch.setenv("MSM4SR_NO_VENV", "1")
    options = run.parse(["setup", "--dev"])
    assert (options.dev, options.torch_index, options.no_venv) == (True, "V", True)


@pytest.mark.parametrize(
    "arguments", [["lab", "--", "-k", "mixup"], ["fly"], [], ["lab", "--port", "x"]]
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.parse(arguments)


def test_a_set_up_error_is_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: Environment, *arguments: Any) -> Path:
        raise SetupError("no network: connect")

    monkeypatch.setattr(Environment, "prepare", fail)
    monkeypatch.delenv("MSM4SR_NO_VENV", raising=False)
    assert run.main(["lab"]) == 2
    assert capsys.readouterr().err == "run.py: no network: connect\n"


def test_no_venv_starts_at_once_and_names_what_is_missing(without: Any) -> None:
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "run.py"), "setup", "--no-venv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 2
    assert done.stdout.startswith(f"Ready: {sys.executable}")
    without("jupyterlab")
    with pytest.raises(SetupError, match="has no jupyterlab") as error:
        run.setup(run.parse(["setup", "--no-venv"]))
    one_line(error)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Record what run.py would become."""
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(run, "become", lambda *call: calls.append(call) or 0)
    return calls


def test_lab_opens_the_first_notebook(handed_over: list[Any]) -> None:
    run.main(["lab", "--no-venv", "--port", "9000", "--no-browser"])
    ((command, variables),) = handed_over
    assert command[1:4] == ["-P", "-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in command
    assert {f"--ServerApp.root_dir={ROOT}", "--ServerApp.port=9000", "--no-browser"} < {*command}
    assert variables["JUPYTER_PREFER_ENV_PATH"] == "1"


@posix
@pytest.mark.parametrize(("user", "root"), [(0, True), (1000, False)])
def test_only_root_runs_as_root(
    user: int, root: bool, handed_over: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    run.main(["lab", "--no-venv"])
    ((command, _),) = handed_over
    assert ("--allow-root" in command) is root


def test_the_workshop_prepares_for_its_visitors(
    handed_over: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run.main(["workshop", "--no-venv", "--visitors", "3"])
    run.main(["workshop", "--no-venv", "--share", "--port", "9001"])
    (alone, variables), (shared, _) = handed_over
    assert alone[1:4] == ["-P", "-m", "voila"]
    assert (ROOT / alone[4]).is_file()
    assert {"--port=8866", "--preheat_kernel=True", "--pool_size=3"} < {*alone}
    assert not any("ip=" in word for word in alone)  # nobody else unless asked for
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert {"--Voila.ip=0.0.0.0", "--port=9001", "--pool_size=5", "--no-browser"} < {*shared}
    told = capsys.readouterr().out
    assert "3 visitors are prepared for" in told
    assert told.count("over the network") == 1


def test_course_runs_without_a_network(handed_over: list[Any]) -> None:
    run.main(["course", "--no-venv"])
    ((command, variables),) = handed_over
    assert command[1:] == ["-m", "course.run_all", "notebooks", "build/course"]
    assert variables["HF_HUB_OFFLINE"] == "1"


def test_threads_are_one_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for name in ("NUMBA_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    variables = run.child_environment(Path("here/bin/python"), offline=False)
    assert (variables["OMP_NUM_THREADS"], variables["NUMBA_NUM_THREADS"]) == ("4", "1")
    assert "HF_HUB_OFFLINE" not in variables
    assert variables["PATH"].startswith(str(Path("here/bin")))
    assert run.child_environment(Path("python"), offline=True)["HF_HUB_OFFLINE"] == "1"


STATIC = ["format", "lint", "types", "spelling"]
SHARED = ["-n", "2", "--dist", "worksteal", "-p", "no:nbval"]  # two processes share the unit tests


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[stages.Stage]:
    """Record the stages that run.py would run."""
    recorded: list[stages.Stage] = []
    monkeypatch.setattr(run, "run_stages", lambda python, root, found, env: recorded.extend(found))
    return recorded


def test_test_checks_everything_and_passes_arguments_on(staged: list[stages.Stage]) -> None:
    run.main(["test", "--no-venv", "--", "-k", "mixup"])
    assert [stage.name for stage in staged[:5]] == [*STATIC, "unit tests"]
    assert staged[4].command == ["pytest", "-q", *SHARED, "-m", "not slow", "-k", "mixup"]


def test_all_leaves_nothing_out_and_check_only_what_is_slow(staged: list[stages.Stage]) -> None:
    run.main(["test", "--all", "--no-venv"])
    assert staged[4].command == ["pytest", "-q", *SHARED, "-m", ""]
    staged.clear()
    run.main(["check", "--no-venv"])
    assert len(staged) == 5
    assert staged[4].command[-1] == "not slow and not browser and not thorough"


def test_notebooks_are_compared_strictly_where_they_can_be(tmp_path: Path) -> None:
    assert stages.notebook_stages(tmp_path) == []
    for name in ("00_start_here", "02_keywords", "04_mixup"):
        (tmp_path / f"{name}.ipynb").touch()
    (tmp_path / "scratch.ipynb").touch()
    strict, lax = stages.notebook_stages(tmp_path)
    assert "--nbval" in strict.command
    assert [Path(part).name for part in strict.command[-2:]] == [
        "00_start_here.ipynb",
        "04_mixup.ipynb",
    ]
    assert "--nbval-lax" in lax.command
    assert lax.command[-1] == f"{tmp_path.name}/02_keywords.ipynb"


def test_notebooks_are_run_again_with_two_threads_and_as_on_another_cpu(
    staged: list[stages.Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.platform, "machine", lambda: "x86_64")
    run.main(["test", "--all", "--no-venv"])
    first, again, two, other = (
        [stage for stage in staged if stage.name.startswith("notebooks") and is_of(stage.name)]
        for is_of in (
            lambda name: name.count(",") == 1,
            lambda name: name.endswith(", again"),
            lambda name: name.endswith(", two threads"),
            lambda name: name.endswith(", other CPU"),
        )
    )
    assert [stage.command for stage in first] == [stage.command for stage in again]
    assert [stage.command for stage in first] == [stage.command for stage in other]
    assert [stage.variables["NUMBA_CPU_NAME"] for stage in other] == ["generic", "generic"]
    (stage,) = two
    assert [Path(part).name[:2] for part in stage.command[-3:]] == ["06", "07", "08"]
    assert stage.variables["OMP_NUM_THREADS"] == "2"
    assert len(staged) == len(STATIC) + 1 + 2 + 2 + 1 + 2

    staged.clear()
    monkeypatch.setattr(run.platform, "machine", lambda: "arm64")
    run.main(["test", "--all", "--no-venv"])
    assert not [stage for stage in staged if stage.name.endswith("other CPU")]


def test_a_failed_stage_stops_no_other_and_fails_the_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    (tmp_path / "works.py").write_text("print('worked')\n", encoding="utf-8")
    bad, good = stages.Stage("bad", ["fails"], {}), stages.Stage("good", ["works"], {})
    assert stages.run_stages(Path(sys.executable), tmp_path, [bad, good], dict(os.environ)) == 1
    printed = capfd.readouterr().out
    assert "worked" in printed
    rows = [line.split()[:2] for line in printed.splitlines()[-4:]]
    assert rows[:3] == [["stage", "result"], ["bad", "FAILED"], ["good", "ok"]]
    assert stages.run_stages(Path(sys.executable), tmp_path, [good], dict(os.environ)) == 0
