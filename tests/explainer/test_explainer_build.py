"""How the page is put together, and its model in JavaScript."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.explainer import build
from docs.explainer.build import HERE, build_page, join_modules

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return build_page()


def test_the_model_in_javascript() -> None:
    if not (node := shutil.which("node")):
        pytest.skip("no node found; the tests in Chromium compare the same functions with PyTorch")
    folder = ROOT / "tests" / "explainer"
    done = subprocess.run([node, "--test", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_page_is_small_and_whole(page: str) -> None:
    assert len(page.encode()) < 3_000_000
    assert "{{" not in page
    assert (HERE / "weights.safetensors").stat().st_size < 3_000_000
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert not re.search(r"^(?:import|export) ", page, re.M)


def test_the_policy_allows_this_script_and_this_style_only(page: str) -> None:
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none';")
    assert "unsafe" not in policy[0]
    script = page.partition('<script type="module">')[2].partition("</script>")[0]
    style = page.partition("<style>")[2].partition("</style>")[0]
    for text in (script, style):
        wanted = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{wanted}'" in policy[0]
    assert not re.search(r"\son\w+=|\sstyle=", page.partition("<body>")[2].partition("<script")[0])


def test_modules_are_joined_in_the_order_of_their_imports(tmp_path: Path) -> None:
    (tmp_path / "b.js").write_text("export const two = 2;\n", "utf-8")
    (tmp_path / "a.js").write_text('import { two } from "./b.js";\nuse(two);\n', "utf-8")
    joined = join_modules(tmp_path, "a.js")
    assert joined == "// ---- b.js\nconst two = 2;\n\n// ---- a.js\nuse(two);\n"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("const three = 3;\n", "b.js does not declare two"),
        ("export const two = 2;\nconst one = 1;\n", "b.js declares one as well"),
    ],
)
def test_names_that_are_missing_or_declared_twice_are_refused(
    tmp_path: Path, other: str, message: str
) -> None:
    (tmp_path / "b.js").write_text(other, "utf-8")
    (tmp_path / "a.js").write_text('import { two } from "./b.js";\nconst one = 1;\n', "utf-8")
    with pytest.raises(ValueError, match=message):
        join_modules(tmp_path, "a.js")


def test_the_functions_that_the_page_names_hold_its_equations(page: str) -> None:
    about = page.partition('id="about"')[2].partition("</section>")[0].partition("each equation")[2]
    names = re.findall(r"<code>(\w+)</code>", about)
    assert len(names) == 6
    for name in names:
        above = page.partition(f"\nfunction {name}(")[0].rpartition("/**")[2]
        assert re.search(r" = .*\*/\s*$", above, re.S), name


def test_sources_are_short() -> None:
    files = [path for path in HERE.iterdir() if path.suffix in {".js", ".css", ".html", ".py"}]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.safetensors", None, "No such file"),
        ("weights.safetensors", b"", "no safetensors header"),
        (
            "weights.safetensors",
            (HERE / "weights.safetensors").read_bytes()[:-1000],
            "bytes instead",
        ),
        ("items.json", (HERE / "items.json").read_bytes()[:5000], "items.json is incomplete"),
        ("items.json", b"{}", "items.json is incomplete"),
    ],
)
def test_a_fault_of_the_sources_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(HERE, sources, ignore=shutil.ignore_patterns("__pycache__"))
    if content is None:
        (sources / name).unlink()
    else:
        (sources / name).write_bytes(content)
    monkeypatch.setattr(build, "HERE", sources)
    assert build.main([str(tmp_path / "index.html")]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "index.html").exists()


def test_a_page_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a part of it nor a draft is left."""
    (tmp_path / "index.html").mkdir()
    assert build.main([str(tmp_path / "index.html")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "index.html" in said
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_missing_sample_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "SAMPLE", tmp_path)
    assert build.main([str(tmp_path / "index.html")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_help_writes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        build.main(["--help"])
    assert left.value.code == 0
    assert "usage" in capsys.readouterr().out
    assert [*tmp_path.iterdir()] == []
