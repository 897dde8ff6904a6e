"""The source distribution, the wheel made from it, and the wheel in a bare environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_commands import QUICK, dataset_with_features
from test_project import files

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LARGEST_WHEEL = 350_000  # bytes
BUILD = "import sys, setuptools.build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build a source distribution, and the wheel from what it holds."""
    source, out, unpacked = (
        tmp_path_factory.mktemp(name) for name in ("source", "out", "unpacked")
    )
    for path in files():  # a copy, since a build leaves things behind
        if path.parts[0] not in {"data_samples", "notebooks", "docs"}:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    (source / "tests/test_extra.py").touch()
    command = [sys.executable, "-c", BUILD]
    subprocess.run([*command, "build_sdist", out], cwd=source, check=True, capture_output=True)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # Python 3.11.3 knows no filters; later versions warn without one.
        safe: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(unpacked, **safe)
    (folder,) = unpacked.iterdir()
    subprocess.run([*command, "build_wheel", out], cwd=folder, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def package_files() -> set[str]:
    return {path.as_posix() for path in files() if path.parts[0] == "msm4sr_lite"}


def test_the_wheel_is_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    _, wheel = built
    assert wheel.stat().st_size <= LARGEST_WHEEL
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == package_files()


def test_the_source_distribution_holds_the_package_and_no_tests(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {file.name.partition("/")[2] for file in archive.getmembers() if file.isfile()}
    made = {name for name in names if "egg-info" in name} | {"PKG-INFO", "setup.cfg"}
    about = {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
    assert names - made == package_files() | about


def base_packages() -> set[str]:
    """Return what pip installs with the library, and nothing of the extras."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in PROJECT["dependencies"]]
    while waiting:
        requirement = waiting.pop()
        if (name := canonicalize_name(requirement.name)) in found:
            continue
        found.add(name)
        needed = map(Requirement, metadata.requires(name) or [])
        waiting += [one for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def bare(
    built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Install the wheel beside its dependencies alone; return how to call ``msm4sr`` there."""
    folder = tmp_path_factory.mktemp("bare")
    venv, elsewhere = folder / "venv", folder / "else where"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    for name in base_packages():
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}:
            place = Path(str(distribution.locate_file(top)))
            if place.exists() and top != "__pycache__":
                (site / top).symlink_to(place)
    pip = [sys.executable, "-m", "pip", "-q", "--python", venv / "bin/python", "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", built[1]], check=True)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        command = [venv / "bin/msm4sr", *map(str, words)]
        return subprocess.run(
            command, cwd=elsewhere, env=variables, capture_output=True, text=True, check=False
        )

    return call


@pytest.fixture(scope="module")
def run_folder(
    bare: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Make a dataset and train on it."""
    data = dataset_with_features(tmp_path_factory.mktemp("data"))
    out = data / "run"
    done = bare("run", data, "--out", out, "--features", data / "features", *QUICK)
    assert done.returncode == 0, done.stderr
    return data, out


linux = pytest.mark.skipif(sys.platform != "linux", reason="links stand in for installed packages")


@linux
def test_the_wheel_works_with_its_dependencies_alone(
    bare: Callable[..., subprocess.CompletedProcess[str]], run_folder: tuple[Path, Path]
) -> None:
    data, out = run_folder
    features = ["--features", data / "features"]
    study = ["study", "main", data, *features, "--out", out / "study", "--quick"]
    for words in (
        ["check", data],
        ["evaluate", data, "--model", out],
        ["recommend", data, "--model", out, "--user", "u1", "--why"],
        [*study, "--models", "popularity,item_knn"],
    ):
        done = bare(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert done.stdout
        assert "Traceback" not in done.stderr


@linux
def test_what_needs_an_extra_says_so_in_one_line(
    bare: Callable[..., subprocess.CompletedProcess[str]], run_folder: tuple[Path, Path]
) -> None:
    done = bare("plot", run_folder[1])
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "msm4sr plot: plot needs matplotlib: pip install 'msm4sr_lite[course]'"
    ]
    doctor = bare("doctor")
    assert "  torch  2." in doctor.stdout
    assert doctor.stderr == ""
