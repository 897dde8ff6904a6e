"""Rings, imports, sizes, tests that mirror the package, dead code, what an import loads."""

from __future__ import annotations

import ast
import graphlib
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import msm4sr_lite

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "msm4sr_lite"
FILES = sorted(PACKAGE.rglob("*.py"))

# Most lines of code: no blank lines, comments or docstrings, so that nobody saves on explanations.
LIBRARY = 11_980  # the aim is 10,500
METHOD_PATH = 550
COURSE_GENERATOR_STUDIES = 8530
EXERCISES = 2_900  # mostly their texts: what is said about each wrong answer
FILE = 300  # lines of a file in all

# The method path: what is read, in this order, from interactions to a trained model.
PATH = ("sequences", "mixup", "encoder", "losses", "objectives", "training")
METHOD_FILES = (*PATH, "evaluation", "scoring", "training_run", "similarity", "intervals")

# Ring 1 is the method; ring 2 is the library around it. A layer may import itself and those above.
RING_1 = {
    *METHOD_FILES,
    "initialize",
    "presets",
    "whitening",
    "arguments",
    "config",
    "printable",
    "settings",
    "feature_table",
    "device",
    "fast",
}
LAYERS = (
    ("method",),
    ("store", "progress"),
    ("dataset",),
    ("features",),
    ("baselines",),
    ("recommend",),
    ("explain",),
    ("pipeline",),
    ("study",),
    ("cli", "__main__"),
)
# Ring 3 and what belongs to the repository alone.
OUTSIDE = {"course", "data_samples", "benchmarks", "tests", "run", "notebooks", "docs"}

# Names that are used although vulture sees no use: by Python and argparse, or by users.
USED = {"__getattr__", "__dir__", "_check_value", "traceback", *msm4sr_lite.__all__}
USED |= {"split_special_tokens", "weight_map"}  # of a tokenizer, and of an index of weights
USED |= {"MAX_TEXT_CHUNK"}  # of Pillow
USED |= {"ensemble_id", "validation_ndcg_10"}  # keys of JSON files
USED |= {"from_frames", "padding_side", "set_params", "to_frame", "training_"}


# ------------------------------------------------------------------------------ imports


def module_name(path: Path) -> str:
    """Return the dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports: in functions and under TYPE_CHECKING too."""
    name = module_name(path)
    parts = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES or base == "msm4sr_lite" else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant))


def layer(module: str) -> int:
    """Return the number of a module's layer; higher ones may import lower ones."""
    part = module.split(".")[1]
    part = "method" if part in RING_1 else part
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


IMPORTS = {name: sorted(set(imported(path))) for name, path in MODULES.items()}
OWN = {
    name: [other for other in found if other.split(".")[0] == "msm4sr_lite"]
    for name, found in IMPORTS.items()
}


def test_every_module_has_a_layer() -> None:
    placed = RING_1 | {part for parts in LAYERS for part in parts}
    found = {name.split(".")[1] for name in MODULES if "." in name}
    assert found - placed == set()
    assert placed - found <= {"method"}


def test_imports_point_to_the_same_layer_or_a_lower_one() -> None:
    arrows = [
        (a, b) for a, found in OWN.items() for b in found if b in MODULES and "." in a and "." in b
    ]
    assert len(arrows) > 200
    assert [(a, b) for a, b in arrows if layer(b) > layer(a)] == []


def test_no_import_goes_round_in_a_circle() -> None:
    modules = {name: [b for b in found if b in MODULES] for name, found in OWN.items()}
    graphlib.TopologicalSorter(modules).prepare()  # raises CycleError and names the circle


def test_modules_are_imported_from_where_they_are() -> None:
    """Not through the package's lazy names, behind which an arrow back could hide."""
    lazy = {(a, b) for a, found in OWN.items() for b in found if b not in MODULES}
    assert {(a, b) for a, b in lazy if b != "msm4sr_lite.__version__"} == set()


def test_the_package_imports_nothing_that_is_not_in_the_wheel() -> None:
    found = {(a, b) for a, names in IMPORTS.items() for b in names if b.split(".")[0] in OUTSIDE}
    assert found == set()


def test_only_the_command_line_parses_arguments() -> None:
    users = {name for name, found in IMPORTS.items() if "argparse" in found}
    assert {name for name in users if not name.startswith("msm4sr_lite.cli")} == set()


def test_imports_are_found_wherever_they_stand(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "msm4sr_lite" / "store"
    package.mkdir(parents=True)
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from course import panels\n"
    text += "def f():\n    from ..dataset import sources\n    from . import files\n"
    text += "    from msm4sr_lite import Recommender\n    import_module('msm4sr_lite.cli')\n"
    (package / "x.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert set(imported(package / "x.py")) == {
        "typing",
        "course",
        "msm4sr_lite.dataset.sources",
        "msm4sr_lite.store.files",
        "msm4sr_lite.Recommender",
        "msm4sr_lite.cli",
    }


# ------------------------------------------------------------------------------ sizes


def lines_of_code(path: Path) -> int:
    """Count lines that hold code: no docstrings, comments or blank lines."""
    source = path.read_text(encoding="utf-8")
    docs: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docs |= set(range(body[0].lineno, body[0].end_lineno + 1))
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip and token.type != tokenize.ENDMARKER:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docs)


def code_in(*folders: Path) -> int:
    return sum(lines_of_code(path) for folder in folders for path in folder.rglob("*.py"))


def test_lines_of_code_are_counted_without_explanations(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text('"""Doc.\n\nMore."""\n\nx = 1  # why\n# comment\ny = [\n    2,\n]\n', "utf-8")
    assert lines_of_code(path) == 4


def test_the_library_is_small() -> None:
    assert code_in(PACKAGE) <= LIBRARY


def test_the_method_is_short() -> None:
    assert sum(lines_of_code(PACKAGE / f"{name}.py") for name in PATH) <= METHOD_PATH


def test_course_generator_and_studies_are_small() -> None:
    parts = ("notebooks/course", "data_samples/make", "benchmarks/studies")
    exercises = code_in(ROOT / "notebooks/course/exercises")
    assert exercises <= EXERCISES
    assert code_in(*(ROOT / part for part in parts)) - exercises <= COURSE_GENERATOR_STUDIES


def test_no_file_of_the_package_is_long() -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > FILE} == {}


# ------------------------------------------------------------------------------ tests mirror it

TESTS = ROOT / "tests"
# Modules without a test file of their own name, and why.
WITHOUT_TESTS = {
    "msm4sr_lite",  # lazy names: this file
    "msm4sr_lite.__main__",  # two lines, which tests/cli/test_processes.py starts
}
# Test files that belong to no single module, and what they test.
WITHOUT_MODULE = {
    "cli/test_missing_packages.py",  # every command on a base installation
    "cli/test_processes.py",  # commands that are stopped, killed, or shared by processes
    "fast/test_plain_equals_fast.py",  # one step through all fast forms
    "method/test_cuda.py",  # the method on a GPU
    "method/test_invariants.py",  # what holds across the method, by number
    "method/test_reference.py",  # the method beside a second, naive implementation
}


def has_code(path: Path) -> bool:
    """Return whether a file does more than document and re-export."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(
        not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in body
    )


def names_of_tests(module: str) -> list[str]:
    """Return the names, from ``tests`` on and without ending, that a module's tests may have.

    ``features.table`` is tested by ``features/test_table``, or ``features/test_features_table``
    where another folder has that name. Modules of ring 1 are tested in ``method/``, those of
    ``fast`` as ``fast/test_fast_NAME``, a package's ``__init__`` as ``PACKAGE/test_PACKAGE``.
    """
    *folders, name = module.split(".")[1:]
    if MODULES[module].name == "__init__.py":
        return ["/".join([*folders, name, f"test_{name}"])]
    if folders == ["fast"]:
        return [f"fast/test_fast_{name}"]
    if not folders:
        return [f"method/test_{name}"]
    return ["/".join([*folders, f"test_{part}{name}"]) for part in ("", f"{folders[-1]}_")]


def files_of(module: str, files: set[str]) -> set[str]:
    """Return a module's test files; one may name an aspect as well: ``test_rows_cells``."""
    names = names_of_tests(module)
    found = {file for file in files if file.removesuffix(".py") in names}
    if MODULES[module].name == "__init__.py":  # ``test_cli_common`` is not about ``cli/__init__``
        return found
    return found | {file for file in files if file.startswith(tuple(f"{name}_" for name in names))}


def mirrored(files: set[str]) -> tuple[set[str], set[str]]:
    """Return the modules without a test file and the test files without a module."""
    modules = {name for name, path in MODULES.items() if has_code(path)} - WITHOUT_TESTS
    found = {module: files_of(module, files - WITHOUT_MODULE) for module in modules}
    missing = {module for module in modules if not found[module]}
    return missing, files - WITHOUT_MODULE - set().union(*found.values())


def files_of_tests() -> set[str]:
    folders = {"method", *(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file())}
    paths = (path for folder in folders for path in (TESTS / folder).rglob("test_*.py"))
    return {path.relative_to(TESTS).as_posix() for path in paths}


def test_tests_mirror_the_package_file_by_file() -> None:
    files = files_of_tests()
    assert mirrored(files) == (set(), set())
    assert files >= WITHOUT_MODULE
    assert MODULES.keys() >= WITHOUT_TESTS


@pytest.mark.parametrize(
    ("changes", "missing", "left"),
    [
        ({"method/test_mixup.py"}, {"mixup"}, set()),
        ({"fast/test_fast_losses.py"}, {"fast.losses"}, set()),
        ({"cli/test_cli.py"}, {"cli"}, set()),
        ({"pipeline/test_pipeline_stages.py"}, {"pipeline.stages"}, set()),
        ({"cli/test_nothing.py"}, set(), {"cli/test_nothing.py"}),
        ({"cli/test_cli_nothing.py"}, set(), {"cli/test_cli_nothing.py"}),
        ({"store/test_mixup.py"}, set(), {"store/test_mixup.py"}),
        ({"dataset/test_rows_more.py"}, set(), set()),
    ],
)
def test_a_missing_test_file_and_one_without_a_module_are_named(
    changes: set[str], missing: set[str], left: set[str]
) -> None:
    found = mirrored(files_of_tests() ^ changes)
    assert found == ({f"msm4sr_lite.{name}" for name in missing}, left)


# ------------------------------------------------------------------------------ dead code


@pytest.mark.thorough
def test_nothing_is_left_that_nobody_uses() -> None:
    """Names of the package that neither it nor course, generator, benchmarks or README use."""
    vulture = pytest.importorskip("vulture")
    finder = vulture.Vulture(ignore_names=sorted(USED))
    users = ("notebooks/course", "notebooks/src", "data_samples/make", "benchmarks")
    finder.scavenge([str(PACKAGE), *(str(ROOT / folder) for folder in users)])
    finder.scan("\n".join(readme_blocks()), filename="README.md")
    unused = [
        f"{Path(item.filename).relative_to(ROOT)}:{item.first_lineno}: {item.message}"
        for item in finder.get_unused_code(min_confidence=60)
        if Path(item.filename).is_relative_to(PACKAGE)
    ]
    assert unused == []


def readme_blocks() -> list[str]:
    """Return the README's Python."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [block.partition("```")[0] for block in text.split("```python\n")[1:]]


# ------------------------------------------------------------------------------ what is loaded

HEAVY = ("torch", "transformers", "pandas", "numpy", "PIL", "matplotlib", "scipy")


@pytest.mark.parametrize(
    "code",
    [
        "import msm4sr_lite",
        "from msm4sr_lite import cli; cli.main(['--help'])",
        "from msm4sr_lite import cli; cli.main(['run', '--help'])",
    ],
    ids=["import", "--help", "run --help"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    """How long it takes is measured by ``python -m benchmarks.startup``."""
    tail = f"print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    whole = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{tail}"
    command = [sys.executable, "-c", whole]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_every_public_name_is_there() -> None:
    for name in msm4sr_lite.__all__:
        assert getattr(msm4sr_lite, name).__module__.startswith("msm4sr_lite."), name


# ------------------------------------------------------------------------------ what is not there


def test_no_code_from_the_hub_and_no_pickle() -> None:
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        for word in ("trust_remote_code=True", "pickle.load", "allow_pickle=True"):
            assert word not in source, (path, word)
        assert source.count("torch.load(") == source.count("weights_only=True"), path


def test_the_product_speaks_of_itself_alone() -> None:
    texts = [p for p in ROOT.glob("*") if p.suffix in {".md", ".py", ".toml", ".yml", ".txt"}]
    texts += [
        p
        for f in ("msm4sr_lite", "docs", "notebooks", "benchmarks", ".github")
        for p in (ROOT / f).rglob("*")
    ]
    for path in texts:
        if path.is_relative_to(ROOT / "notebooks" / "work"):
            continue  # a student's files
        if path.is_file() and path.suffix in {".md", ".py", ".toml", ".yml", ".txt", ".ipynb"}:
            text = path.read_text(encoding="utf-8").replace("notebooks/work/", "")
            for word in ("method.md", "design.md", "words.md", "/work/", "/root/"):
                assert word not in text, (path, word)
