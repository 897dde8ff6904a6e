"""The results page, the study pages and the figures are made of the results of studies."""

import html
import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.results_drawing import fingerprint_in
from benchmarks.results_figures import drawings
from benchmarks.results_numbers import FORMATS, number
from benchmarks.studies.results_page import FILLED, NUMBER, collect, fill, pages, write
from benchmarks.study_pages import Study, read_studies
from msm4sr_lite.config import UserError
from tests.test_texts import anchors, broken_links, text_of, unknown_commands
from tests.tiny_study import tiny_result

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
# A number that comes from a measurement: decimals, or a percentage.
MEASURED = re.compile(r"\d+\.\d+|\d+ ?%")
# The levels of intervals and of significance, the power, and λ in the preset.
AGREED = {"95 %", "0.05", "0.8", "0.01"}
PROSE = "Measured: <!--= toy/main/models/popularity as interval -->STALE<!--/-->.\n"


@pytest.fixture
def result(tmp_path):
    return tiny_result(tmp_path / "study")


@pytest.fixture
def root(result, tmp_path):
    """A repository with one study, which says nothing about itself."""
    folder = tmp_path / "root" / "docs" / "results" / "toy"
    folder.mkdir(parents=True)
    for part, found in result.items():
        (folder / f"{part}.json").write_text(json.dumps(found), encoding="utf-8")
    for name in FILLED:
        (tmp_path / "root" / name).write_text(PROSE, encoding="utf-8")
    return tmp_path / "root"


def text(root, name):
    return (root / name).read_text(encoding="utf-8")


def test_one_folder_of_json_files_makes_a_page_its_entry_and_its_place_in_figures(root, result):
    page = root / "docs/results.md"
    page.write_text(f"{PROSE}<!-- figure: real_data -->\nSTALE\n<!-- end -->\n", encoding="utf-8")
    (root / "docs/studies").mkdir()
    (root / "docs/studies/gone.md").write_text("A study that is no more.\n", encoding="utf-8")
    write(root)
    tables = text(root, "docs/studies/toy.md")
    for name, own in result["main"]["models"].items():
        assert f"| {name} | {own['filter_seen']['ndcg@10']['value']:.4f} [" in tables
    assert f"{result['cold']['random_ndcg@10']:.4f}" in tables
    assert "[toy](toy.md) | 5 | 19 | 5 | 1 | main, cold |" in text(root, "docs/studies/index.md")
    assert not (root / "docs/studies/gone.md").exists()
    assert "](figures/real_data.png)" in text(root, "docs/results.md")
    assert "[toy/main.json](results/toy/main.json)" in text(root, "docs/results.md")
    assert "STALE" not in text(root, "docs/results.md") + text(root, "README.md")
    assert (root / "docs/figures/real_data.png").read_bytes().startswith(b"\x89PNG")
    assert pages(root) == {path: path.read_text("utf-8") for path in pages(root)}
    before = (root / "docs/figures/real_data.png").stat().st_mtime_ns
    write(root)
    assert (root / "docs/figures/real_data.png").stat().st_mtime_ns == before
    write(root, redraw=True)
    assert (root / "docs/figures/real_data.png").stat().st_mtime_ns > before


def test_a_study_may_say_more_about_itself(root):
    about = {"title": "Toys", "commands": ["msm4sr study main toys"], "notes": ["Small."]}
    (root / "docs/results/toy/about.json").write_text(json.dumps(about), encoding="utf-8")
    write(root)
    page = text(root, "docs/studies/toy.md")
    assert page.startswith("# Toys\n")
    assert "\n\nSmall.\n\n```\nmsm4sr study main toys\n```\n" in page
    (root / "docs/results/toy/about.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"about.json: cannot be read"):
        write(root)


def test_numbers_in_sentences_come_from_the_results():
    found = {"value": 0.0158, "low": -0.0086, "high": 0.024, "p_holm": 0.0004, "seeds": [1, 2]}
    models = {"a + b": {"filter_seen": {"ndcg@10": found}, "share": 0.756, "seconds": 12345}}
    studies = {"toy": Study("toy", {}, {"main": {"models": models}})}
    forms = {
        "value": "0.016",
        "interval": "0.016 [−0.009, 0.024]",
        "change": "+0.016 [−0.009, +0.024]",
        "gain": "−0.016 [−0.024, +0.009]",
        "loss": "−0.016 [−0.024, 0.009]",
        "p": "p < 0.001",
    }
    for form, shown in forms.items():
        assert number("toy/main/models/a + b", form, studies) == shown
    inner = {"share": ("percent", "76 %"), "seconds": ("count", "12,345")}
    inner |= {"filter_seen/ndcg@10/value": ("number", "0.016")}
    inner |= {"filter_seen/ndcg@10/seeds": ("length", "2")}
    for key, (form, shown) in inner.items():
        assert number(f"toy/main/models/a + b/{key}", form, studies) == shown
    for address in ("toy/main/models/c", "other/main/models/a + b", "toy/cold/models/a + b"):
        with pytest.raises(UserError, match="no such number"):
            number(address, "value", studies)
    with pytest.raises(UserError, match="no such number"):
        number("toy/main/models/a + b", "length of", studies)
    assert FORMATS["p"]({"p_holm": 0.0412}) == "p = 0.041"
    assert FORMATS["ratio"](1.955) == "2.0"
    assert FORMATS["round"](137.6) == "138"


def test_a_figure_that_no_study_makes_is_refused():
    with pytest.raises(UserError, match="makes the figure nothing"):
        fill("<!-- figure: nothing -->\n<!-- end -->\n", [])


def test_results_are_copied_under_the_name_of_the_study(result, tmp_path):
    study = tmp_path / "study-dataset"
    study.mkdir()
    with pytest.raises(UserError, match="no results of `msm4sr study` in this folder"):
        collect([study], tmp_path / "results")
    (study / "main.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    (path,) = collect([study], tmp_path / "results")
    assert path == tmp_path / "results" / "dataset" / "main.json"
    assert json.loads(path.read_text(encoding="utf-8")) == result["main"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cold.json", '{"quick": true}', "cold.json: made with --quick"),
        ("configs.json", '{"msm4sr": {', "configs.json: cannot be read"),
        ("transfer.json", "[]", "transfer.json: not a result"),
    ],
)
def test_nothing_is_copied_if_any_file_cannot_be_published(
    result, tmp_path, name, content, message
):
    whole, other = tmp_path / "whole", tmp_path / "other"
    for study in (whole, other):
        study.mkdir()
        (study / "main.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    (other / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        collect([whole, other], tmp_path / "results")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


# ------------------------------------------------------------------------------ what is committed


def test_committed_pages_are_made_of_the_committed_results():
    expected = pages(ROOT)
    assert len(expected) > 10
    wrong = [path.name for path, page in expected.items() if path.read_text("utf-8") != page]
    assert wrong == [], "run python -m benchmarks.studies.results_page"
    assert set((ROOT / "docs/studies").iterdir()) <= set(expected)


def test_committed_figures_show_the_committed_results():
    made = drawings(read_studies(RESULTS))
    assert len(made) > 5
    shown = {one.name: fingerprint_in(ROOT / f"docs/figures/{one.name}.png") for one in made}
    assert shown == {one.name: one.fingerprint() for one in made}
    page = text(ROOT, "docs/results.md") + text(ROOT, "docs/benchmarks.md")
    assert [one.name for one in made if f"(figures/{one.name}.png)" not in page] == ["results"]


def test_the_readme_describes_every_value_of_its_figure():
    (alt,) = (one.alt for one in drawings(read_studies(RESULTS)) if one.name == "results")
    assert f'alt="{html.escape(alt)}"' in " ".join(text(ROOT, "README.md").split())


def test_a_changed_number_is_noticed(tmp_path):
    shutil.copytree(RESULTS, tmp_path / "docs/results")
    for name in FILLED:
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / "docs/results/hm_fashion-5core/main.json"
    changed = path.read_text("utf-8").replace('"value": 0.045', '"value": 0.055')
    path.write_text(changed, encoding="utf-8")
    found = pages(tmp_path)
    wrong = {path.name for path, page in found.items() if page != committed(path, tmp_path)}
    assert wrong >= {"results.md", "hm_fashion-5core.md"}
    before, after = (
        drawings(read_studies(RESULTS)),
        drawings(read_studies(tmp_path / "docs/results")),
    )
    assert [one.fingerprint() for one in before] != [one.fingerprint() for one in after]


def committed(path, root):
    return (ROOT / path.relative_to(root)).read_text(encoding="utf-8")


def unmarked(page):
    """Return the measured numbers of a text that no marker ties to a result."""
    prose = re.sub(r"`[^`\n]*`|!\[.*?\]\(.*?\)", "", NUMBER.sub("", page))
    return [found for found in MEASURED.findall(prose) if found not in AGREED]


def test_every_measured_number_of_the_results_is_tied_to_its_file():
    page, why = text(ROOT, "docs/results.md"), text(ROOT, "docs/why.md")
    assert len(NUMBER.findall(page)) > 50
    assert unmarked(page) == unmarked(why) == []
    assert unmarked("With 12.5 and 80 %, <!--= a/b -->0.165<!--/-->.") == ["12.5", "80 %"]
    assert len(page.splitlines()) < 200


def test_study_pages_name_what_exists():
    for path in sorted((ROOT / "docs/studies").glob("*.md")):
        page = text_of(path)
        assert broken_links(path, page) == []
        assert unknown_commands(page) == []
        assert anchors(page)
