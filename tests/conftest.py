"""Settings and fixtures for all tests: one thread, no network, fixed seeds, places of data."""

import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # set first, since torch and numba read it when they are imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import random

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without tests, such as masters of notebooks, and in `check` thorough ones.

    ``--doctest-modules`` would import the former. Importing the latter takes seconds.
    """
    no_test = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    quick = "not thorough" in (config.option.markexpr or "")
    return True if no_test or (quick and is_thorough(collection_path)) else None


def is_thorough(path: Path) -> bool:
    """Return whether all tests of a file or folder are left to `python run.py test`."""
    return bool({path.parent.name, path.name, path.stem.removeprefix("test_")} & THOROUGH_PLACES)


# Tests that only `python run.py test` runs, not `python run.py check`: whole stages, drawings and
# launches, which a small change seldom breaks. THOROUGH_PLACES holds names of folders, and of files
# without ``test_``; THOROUGH_TESTS holds functions. New files use ``pytest.mark.thorough`` instead.
THOROUGH_PLACES = {
    "attention",
    "benchmarks",
    "budget",
    "data_samples",
    "effects",
    "exercise_facts",
    "figures",
    "hosted",
    "keyword_tokenizer",
    "map_explorer",
    "oracle_upper_bound",
    "packaging",
    "panels",
    "pipeline_stages",
    "planted",
    "presets",
    "protocol",
    "recommend",
    "reference",
    "run_py",
    "run_transfer",
    "session",
    "stages",
    "stored",
    "study",
    "text_encoder",
    "train_clip",
    "training_files",
}
THOROUGH_TESTS = {
    "test_fine_tuned_models_hardly_recommend_cold_items_of_the_sample",
    "test_a_domain_can_pre_train_on_the_whole_dataset",
    "test_a_dataset_compared_on_as_a_whole_adds_nothing",
    "test_everything_that_is_installed_for_us_is_pinned",
    "test_runs_made_at_once_are_those_made_one_after_another",
    "test_47_patience",
    "test_a_stopped_curve_continues",
    "test_a_stopped_training_goes_on_as_if_it_had_not_been",
    "test_sampled_softmax_is_right_on_average",
    "test_training_is_reproducible_and_lowers_the_loss",
    "test_without_the_top_interactions_the_score_falls_more",
    "test_without_the_top_keywords_of_the_stored_deletions_the_score_falls_more",
    "test_without_the_top_keywords_the_score_falls_more",
    "test_without_the_top_sentences_and_images_the_score_falls_more",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that only `python run.py test` runs."""
    for item in items:
        name = getattr(item, "originalname", item.name)  # without parameters
        if is_thorough(item.path) or name in THOROUGH_TESTS:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Reset all random generators, so that a test does not depend on the tests before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  for code that draws without a generator of its own
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def sample_dataset() -> Path:
    """Return the folder of the bundled dataset. Tests must not write to it."""
    return ROOT / "data_samples" / "corner_shop"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real datasets outside the repository; skip the test if there is none."""
    folder = os.environ.get("MSM4SR_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real datasets: name their folder in MSM4SR_DATA")
    return Path(folder)


@pytest.fixture(scope="session")
def mini_clip() -> str:
    """Return the folder of the bundled small CLIP."""
    return str(ROOT / "data_samples" / "mini_clip")


@pytest.fixture(scope="session")
def tokenizer(mini_clip: str):
    """Return a keyword tokenizer: the bundled small CLIP with four words."""
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    return KeywordTokenizer(mini_clip, ["red", "blue", "mug", "tent"])


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model folder with a BERT of two small layers with random weights."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"] + [".", ","]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=20,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
        )
    ).save_pretrained(folder)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)
