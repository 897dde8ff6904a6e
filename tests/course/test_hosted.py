"""The course where nothing is installed: links, Colab's cell, Binder's files, the dev container."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from course import hosted, rules
from course.masters import read_master
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from packaging.requirements import Requirement

import run
from msm4sr_lite.config import UserError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = "https://github.com/owner/name"
WORKBENCH = ROOT / "tests" / "notebooks" / "browser" / "99_workbench.py"
SERVICES = re.compile(r"colab\.research|mybinder")


# --- links ----------------------------------------------------------------------------------


def test_readme_and_pyproject_agree() -> None:
    """Without an address no service is named; with one, the README shows its badges."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wanted = hosted.make_badges(hosted.find_repository())
    assert wanted in readme, "put in what this prints: python -m course.hosted"
    assert len(SERVICES.findall(readme)) == len(SERVICES.findall(wanted))


@pytest.mark.parametrize("given", [ADDRESS, f"{ADDRESS}/", f"{ADDRESS}.git"])
def test_the_address_comes_from_pyproject(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert hosted.find_repository(pyproject) == ""
    text = f"[project]\nname = 'x'\n[project.urls]\nRepository = '{given}'\n"
    pyproject.write_text(text, encoding="utf-8")
    assert hosted.find_repository(pyproject) == ADDRESS
    monkeypatch.setattr(hosted, "find_repository", lambda: ADDRESS)
    assert hosted.main() == 0
    printed = capsys.readouterr().out.strip()
    assert printed == hosted.make_badges(ADDRESS)
    badge = r"\[!\[([\w ]+)\]\(https://[\w./-]+\.svg\)\]\(https://"
    assert re.findall(badge, printed) == ["tests", "Open in Colab", "Open in Binder"]
    workflow = re.search(r"actions/workflows/([\w.]+)/badge", printed)
    assert workflow
    assert (ROOT / ".github" / "workflows" / workflow[1]).is_file()


@pytest.mark.parametrize(
    "wrong", ["http://github.com/a/b", "https://a.example/b", "https://github.com/a"]
)
def test_another_address_is_refused(wrong: str) -> None:
    with pytest.raises(UserError, match=r"must read https://github\.com/OWNER/NAME"):
        hosted.make_links(wrong)


def test_without_an_address_there_is_nothing() -> None:
    assert hosted.make_badges("") == ""
    plain = read_master(WORKBENCH, "")
    assert not SERVICES.search(nbformat.writes(plain))
    if not hosted.find_repository():
        assert read_master(WORKBENCH) == plain


def test_with_an_address_a_notebook_can_be_opened_elsewhere() -> None:
    plain, notebook = read_master(WORKBENCH, ""), read_master(WORKBENCH, ADDRESS)
    head, cell, *rest = notebook.cells
    assert head.source.startswith(plain.cells[0].source)
    assert "owner/name/blob/main/notebooks/99_workbench.ipynb)" in head.source
    assert "owner/name/main?urlpath=lab/tree/notebooks/99_workbench.ipynb)" in head.source
    assert "owner/name msm4sr-course" in cell.source
    assert [c.id for c in rest] == [c.id for c in plain.cells[1:]]
    nbformat.validate(notebook)
    cell.execution_count = 1
    for rule in (rules.headings, rules.code_style, rules.portable, rules.images):
        assert rule(new_notebook(cells=[head, cell])) == []


# --- Colab ----------------------------------------------------------------------------------


def needs() -> dict[str, Requirement]:
    """What Colab and Binder install: the package and its extra for notebooks."""
    texts = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["notebooks"]
    return {requirement.name: requirement for requirement in map(Requirement, texts)}


def test_nothing_is_asked_for_that_would_exchange_a_front_end() -> None:
    assert not {"jupyterlab", "notebook", "voila", "ipykernel"} & needs().keys()
    assert not needs()["ipywidgets"].specifier
    for text in (hosted.make_colab_cell(ADDRESS), (ROOT / ".binder/postBuild").read_text("utf-8")):
        assert "[notebooks]" in text
        assert "constraints" not in text  # a pin would exchange what is there


def test_every_import_of_a_notebook_is_among_the_needs() -> None:
    front_end = {"IPython", "ipykernel", "pygments", "psutil", "traitlets"}  # come with a kernel
    # Run by authors and teachers, or before a front end is open.
    builders = {"notebooks", "masters", "rules", "costs", "marking", "verdicts", "lab"}
    files = [p for p in (ROOT / "notebooks" / "course").rglob("*.py") if p.stem not in builders]
    files += (ROOT / "notebooks" / "src").glob("*.py")
    used = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used.add((node.module or "").partition(".")[0])
    called = {"scikit-learn": "sklearn", "umap-learn": "umap", "pillow": "PIL"}
    asked = {called.get(name, name) for name in needs()}
    comes_with = {"cycler"}  # with matplotlib
    optional = {"anywidget"}  # without it lists stand in the place of taps
    folders = {"msm4sr_lite", "course", "data_samples", "benchmarks", "docs"}
    ours = {*folders, *sys.stdlib_module_names}
    assert used - ours - front_end - asked - comes_with - optional == set()


def test_the_cell_does_nothing_on_a_machine_of_ones_own(tmp_path: Path) -> None:
    done = run_cells(
        tmp_path, sys.executable, [hosted.make_colab_cell(ADDRESS), "print(os.getcwd())"]
    )
    assert done == ["", f"{tmp_path}\n"]
    assert list(tmp_path.iterdir()) == []


def run_cells(folder: Path, python: str, cells: list[str]) -> list[str]:
    """Run cells in a kernel of the given Python; return what each prints."""
    kernel = folder.parent / f"{folder.name}-jupyter" / "kernels" / "hosted"
    kernel.mkdir(parents=True, exist_ok=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "hosted", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    notebook = new_notebook(cells=[new_code_cell(text) for text in cells])
    client = NotebookClient(
        notebook, timeout=240, kernel_name="hosted", resources={"metadata": {"path": str(folder)}}
    )
    client.create_kernel_manager()
    client.km.kernel_spec_manager.kernel_dirs.insert(0, str(kernel.parent))
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    client.execute(env=environment)
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Colab is a Linux")
def test_colabs_cell_brings_the_course_into_the_running_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository at a local address, an environment without this package, a kernel in it.

    Everything else that is installed here is seen from that environment, as Colab's packages are
    on Colab, so nothing is downloaded. Not checked: downloads, and the versions Colab has.
    """
    source, machine, content = tmp_path / "source", tmp_path / "machine", tmp_path / "content"
    content.mkdir()
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(source)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(machine)], check=True)
    (packages,) = machine.glob("lib/python*/site-packages")
    here = Path(nbformat.__file__).parents[1]
    (packages / "all_else.pth").write_text(f"{here}\n", encoding="utf-8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip's way to say: no isolation
    before = (
        "import importlib.util, sys, types\nsys.modules['google.colab'] = types.ModuleType('x')"
    )
    before += "\nprint(importlib.util.find_spec('msm4sr_lite'))"
    proof = "import msm4sr_lite\nfrom msm4sr_lite import Dataset\n"
    proof += "from course import setup\nsession = setup('04')\n"
    proof += "dataset = Dataset.from_folder(session.samples / 'corner_shop', domain='home')\n"
    proof += "print(msm4sr_lite.__file__, session.samples, len(dataset.items), sep='\\n')"
    cell = hosted.make_colab_cell(source.as_uri())
    nothing, told, shown, again = run_cells(
        content, str(machine / "bin" / "python"), [before, cell, proof, cell]
    )
    assert nothing == "None\n"
    assert "ERROR" not in told
    place, samples, items = shown.splitlines()[-3:]
    assert Path(place).is_relative_to(packages)
    assert Path(samples) == content / "msm4sr-course" / "data_samples"
    assert int(items) > 400 - 1
    assert again == ""  # a cell that is run again does nothing


# --- Binder and the dev container -----------------------------------------------------------


def test_binder_prepares_torch_and_installs_beside_it() -> None:
    environment: Any = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text("utf-8"))
    (torch,) = (text for text in PROJECT["dependencies"] if text.startswith("torch"))
    python, pip, pytorch = environment["dependencies"]
    assert (
        f"Programming Language :: Python :: {python.removeprefix('python=')}"
        in (PROJECT["classifiers"])
    )
    assert (pip, pytorch) == ("pip", torch.replace("torch", "pytorch-cpu"))
    script = ROOT / ".binder" / "postBuild"
    assert script.read_text(encoding="utf-8").splitlines()[1:] == [
        "set -e",
        'python -m pip install ".[notebooks]"',
    ]
    assert os.name == "nt" or os.access(script, os.X_OK)


def test_the_dev_container_sets_up_by_run_py() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    python = container["image"].removeprefix("python:")
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]
    program, script, *arguments = container["postCreateCommand"].split()
    assert (program, script) == ("python", "run.py")
    assert run.parse(arguments).command == "setup"
    assert run.parse(arguments).dev
    code = container["customizations"]["vscode"]
    assert code["extensions"] == ["ms-python.python", "ms-toolsai.jupyter"]
    interpreter = code["settings"]["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"
