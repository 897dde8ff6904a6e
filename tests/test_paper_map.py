"""The table in docs/paper_map.md and the code name each other."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs" / "paper_map.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| part")
]
NAMES = re.compile(r"`(\w+)\.(\w+)`")


def defined(folder, module):
    """Public names of all files of this name."""
    paths = list((ROOT / folder).rglob(f"{module}.py"))
    assert paths, module
    bodies = [ast.parse(path.read_text(encoding="utf-8")).body for path in paths]
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for body in bodies for node in body if isinstance(node, kinds)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_name_in_the_table_exists(row):
    _, statement, source, code, tests, notebook = row
    assert statement
    assert re.search(r"abstract|notes|code|ours", source)
    assert re.fullmatch(r"\d\d", notebook)
    for column, folder in ((code, "msm4sr_lite"), (tests, "tests")):
        names = NAMES.findall(column)
        assert names
        for module, name in names:
            assert name in defined(folder, module), f"{module}.{name}"


@pytest.mark.parametrize("module", ["mixup", "encoder", "losses", "objectives", "training"])
def test_every_public_name_is_in_the_table(module):
    mapped = {name for row in ROWS for owner, name in NAMES.findall(row[3]) if owner == module}
    tree = ast.parse((ROOT / f"msm4sr_lite/{module}.py").read_text(encoding="utf-8"))
    public = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    public = {name for name in public if name[0] != "_"}
    assert public <= mapped
