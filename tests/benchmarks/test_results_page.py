"""The results page is made of the results of studies."""

import json
from pathlib import Path

import pytest

from benchmarks.studies.results_page import collect, fill
from msm4sr_lite.config import UserError
from tests.tiny_study import tiny_result


@pytest.fixture
def result(tmp_path):
    return tiny_result(tmp_path / "study")


def test_a_page_shows_the_results_and_nothing_stale(result, tmp_path):
    folder = tmp_path / "results" / "toy"
    folder.mkdir(parents=True)
    for part, found in result.items():
        (folder / f"{part}.json").write_text(json.dumps(found), encoding="utf-8")
    blank = "Words.\n\n<!-- measured: toy/main -->\nSTALE\n<!-- end -->\n\nMore words.\n"
    page = fill(blank + blank.replace("main", "cold"), tmp_path / "results")
    assert page.startswith("Words.\n\n<!-- measured: toy/main -->\n")
    assert "STALE" not in page
    assert fill(page, tmp_path / "results") == page
    for name, own in result["main"]["models"].items():
        value = own["filter_seen"]["ndcg@10"]["value"]
        assert f"| {name} | {value:.4f} [" in page
    assert f"{result['cold']['random_ndcg@10']:.4f}" in page
    with pytest.raises(UserError, match=r"other.main.json: cannot be read"):
        fill(blank.replace("toy", "other"), tmp_path / "results")


def test_ablations_are_drawn_beside_their_table(result, tmp_path):
    folder = tmp_path / "results" / "toy"
    folder.mkdir(parents=True)
    (folder / "ablations.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    page = fill("<!-- measured: toy/ablations -->\n<!-- end -->\n", tmp_path / "results")
    assert "](results/toy/ablations.png)\n\ntoy, M²SE, one change at a time" in page
    assert (folder / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_results_are_copied_under_the_name_of_the_study(result, tmp_path):
    study = tmp_path / "study-dataset"
    study.mkdir()
    with pytest.raises(UserError, match="no results of `msm4sr study` in this folder"):
        collect(study, tmp_path / "results")
    (study / "main.json").write_text(json.dumps(result["main"]), encoding="utf-8")
    (path,) = collect(study, tmp_path / "results")
    assert path == tmp_path / "results" / "dataset" / "main.json"
    assert json.loads(path.read_text(encoding="utf-8")) == result["main"]


def test_the_committed_results_page_is_made_of_the_committed_figures():
    page = Path(__file__).resolve().parents[2] / "docs" / "results.md"
    text = page.read_text(encoding="utf-8")
    assert fill(text, page.with_suffix("")) == text
