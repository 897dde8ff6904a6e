"""The core stays small, and imports run one way."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "msm4sr_lite"
CORE = sorted(PACKAGE.glob("*.py"))
# Each module may import those to its left.
ORDER = ["config", "dataset", "text", "sequences", "features", "keywords", "mixup", "encoder"]
ORDER += ["losses", "objectives", "evaluation", "training", "recommend"]


def lines_of_code(path):
    """Count lines that hold code: no docstrings, comments or blank lines."""
    source = path.read_text(encoding="utf-8")
    docs = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docs |= set(range(body[0].lineno, body[0].end_lineno + 1))
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip and token.type != tokenize.ENDMARKER:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docs)


def imports(path):
    """Return the names of our modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("msm4sr_lite.")}


def test_the_core_is_small():
    ideas = [path for path in CORE if not path.name.startswith("__")]  # these two are doors
    assert len(ideas) <= 13
    assert sum(map(lines_of_code, CORE)) <= 1650
    assert max(map(lines_of_code, CORE)) <= 250


@pytest.mark.parametrize(
    "path", [p for p in CORE if not p.name.startswith("__")], ids=lambda p: p.stem
)
def test_core_modules_import_only_what_comes_before_them(path):
    allowed = set(ORDER[: ORDER.index(path.stem)])
    assert imports(path) <= allowed


def test_no_code_from_the_hub_and_no_pickle():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for word in ("trust_remote_code=True", "pickle.load", "allow_pickle=True"):
            assert word not in source, (path, word)
        assert source.count("torch.load(") == source.count("weights_only=True"), path


def test_the_product_speaks_of_itself_alone():
    root = PACKAGE.parent
    texts = [p for p in root.glob("*") if p.suffix in {".md", ".py", ".toml", ".yml", ".txt"}]
    texts += [
        p for f in ("msm4sr_lite", "docs", "notebooks", ".github") for p in (root / f).rglob("*")
    ]
    for path in texts:
        if path.is_file() and path.suffix in {".md", ".py", ".toml", ".yml", ".txt", ".ipynb"}:
            text = path.read_text(encoding="utf-8")
            for word in ("method.md", "design.md", "/work/", "/root/"):
                assert word not in text, (path, word)
