"""The student's own model: put together from parts, equal to the library, never lost."""

from __future__ import annotations

import linecache
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from course import check, load_parts, spine
from course.checks import find_exercise, grade_attempt
from course.notebooks import build_environment
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from msm4sr_lite import Dataset, load_checkpoint
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE, gather_rows
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.fast import switched_off
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Batch
from msm4sr_lite.training import finetune, pretrain

ALL = f"All {len(spine.PARTS)} parts of the model are the course's.\n"
_numbers = count()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSM4SR_WORK", str(tmp_path))
    monkeypatch.delenv("MSM4SR_STATIC", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def home(sample_dataset: Path) -> SimpleNamespace:
    model, catalogue = load_checkpoint(sample_dataset / "states" / "home_pretrained")
    table = load_feature_table(sample_dataset / "features").for_items(catalogue)
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    sequences = build_sequences(dataset.interactions, catalogue[1:])
    every = torch.arange(len(catalogue))
    features = {m: getattr(table, m).gather(every) for m in ("text", "image")}
    train = [sequence.tolist() for sequence in sequences.train() if len(sequence) > 1]
    return SimpleNamespace(**{k: v for k, v in locals().items() if k != "sample_dataset"})


@pytest.fixture(scope="module")
def mine() -> Any:
    return spine.run_source(spine.reference_source())


def type_cell(source: str, space: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a cell as IPython does, which keeps its lines; return the notebook's names."""
    file = f"/tmp/ipykernel_1/{next(_numbers)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    others = vars(spine.run_source(spine.reference_source()))
    space = {**others, "__name__": "__main__", **(space or {})}
    exec(compile(source, file, "exec"), space)
    return space


def solve(part: str, code: str = "") -> str:
    """Type a solution and save it; return what is said about the file."""
    exercise = find_exercise(part)
    cell = type_cell(code or exercise.solution_code())
    return spine.save_part(exercise, cell[exercise.answer_name()])


# ------------------------------------------------------------------ equal to the library


def grads(loss: torch.Tensor, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("fine", [False, True])
def test_the_model_loads_the_weights_of_the_library_and_equals_it(
    home: SimpleNamespace, mine: Any, fine: bool
) -> None:
    theirs = M2SE(ModelConfig(feature_dim=384, n_items=400 * fine))
    theirs.load_state_dict(home.model.state_dict(), strict=not fine)
    model = mine.M2SE(384, n_items=400 * fine)
    assert not any(model.load_state_dict(theirs.state_dict()))
    theirs.eval(), model.eval()
    items, targets = mine.make_batch(home.train[:40], 50)
    batch = Batch(items, targets, torch.arange(40))
    seeds = [torch.Generator().manual_seed(3) for _ in "ab"]
    with switched_off():
        every = torch.arange(401)
        z = theirs.with_ids(theirs.item_embeddings(home.table, every), every)
        h = theirs.encode(gather_rows(z, items))
        given = theirs, home.table, batch
        if fine:
            wanted, _ = finetuning_loss(*given, FinetuneConfig(), seeds[0])
            loss = mine.ranking_loss(model, home.features, items, targets)
        else:
            wanted, _ = pretraining_loss(*given, PretrainConfig(), seeds[0])
            loss = mine.pretraining_loss(model, home.features, items, targets, seeds[1])
        gradients = grads(wanted, theirs)
    found = model(model.embed(home.features, items))
    for modality in z:
        close = {"rtol": 1e-5, "atol": 1e-5}
        torch.testing.assert_close(
            model.embed(home.features, every)[modality], z[modality], **close
        )
        torch.testing.assert_close(found[modality], h[modality], **close)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-5)
    for name, gradient in grads(loss, model).items():
        torch.testing.assert_close(gradient, gradients[name], rtol=1e-4, atol=1e-5)


def score(scorer: Any, home: SimpleNamespace) -> float:
    ranks = target_ranks(scorer, *home.sequences.held_out("valid"))
    return float(metrics(ranks, [10])["ndcg@10"].mean())


@pytest.mark.thorough
def test_after_the_same_training_it_is_as_good_as_the_library(
    home: SimpleNamespace, mine: Any
) -> None:
    table, features, size = home.table, home.features, {"batch_size": 512, "patience": 9}
    theirs, model = M2SE(ModelConfig(feature_dim=384)), mine.M2SE(384)
    theirs.load_state_dict(home.model.state_dict())
    model.load_state_dict(theirs.state_dict())
    pretrain(theirs, table, home.sequences, PretrainConfig(epochs=1, **size))
    generator, reports = torch.Generator().manual_seed(0), []
    options = {"batch_size": 103, "report": lambda *given: reports.append(given)}  # 12 steps

    def pretraining(items: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mine.pretraining_loss(model, features, items, targets, generator)

    def fine_tuning(items: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return mine.ranking_loss(model, features, items, targets)

    mine.train(model, pretraining, home.train, 1, 1e-3, generator, **options)
    weights = theirs.state_dict(), model.state_dict()
    theirs, model = M2SE(ModelConfig(feature_dim=384, n_items=400)), mine.M2SE(384, n_items=400)
    theirs.load_state_dict(weights[0], strict=False)
    model.load_state_dict(weights[1], strict=False)
    before = score(ModelScorer(theirs, table), home)
    finetune(theirs, table, home.sequences, FinetuneConfig(epochs=3, lr=1e-3, **size))
    options["weight_decay"] = 1e-3
    mine.train(model, fine_tuning, home.train, 3, 1e-3, generator, **options)

    class Scorer:
        def score(self, histories: list[Any]) -> torch.Tensor:
            with torch.no_grad():
                lists = [history.tolist() for history in histories]
                return mine.score_histories(model, features, lists)

    wanted = score(ModelScorer(theirs, table), home)
    assert wanted > before
    assert score(Scorer(), home) >= 0.95 * wanted
    assert [epoch for epoch, _ in reports] == [1, 1, 2, 3]


# ------------------------------------------------------------------ a student's file


@pytest.mark.thorough
def test_a_student_who_types_all_solutions_owns_the_whole_model(work: Path) -> None:
    cells = ["from course import check"]
    cells.append("import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn")
    cells.append("from torch import Generator\nfrom collections.abc import Callable")
    for part in spine.PARTS:
        exercise = find_exercise(part)
        cells += [exercise.solution_code(), f'check("{part}", {exercise.answer_name()})']
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    environment = build_environment() | {"MSM4SR_WORK": str(work)}
    environment.pop("MSM4SR_STATIC", None)
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute(env=environment)
    said = [o["data"]["text/plain"] for cell in notebook.cells for o in cell.outputs]
    assert [line[0] for line in said] == ["✓"] * len(spine.PARTS)
    assert said[-1].endswith(f"It is in my_m2se.py now: {len(said)} of {len(said)} parts.")
    text = (work / "my_m2se.py").read_text("utf-8")
    assert text == spine.reference_source()  # so it is equal to the library as well
    alone = "import my_m2se, sys; print(my_m2se.M2SE(8).ids, 'course' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", alone], cwd=work, env={"PATH": ""}, capture_output=True, text=True
    )
    assert found.stdout == "None False\n", found.stderr


def test_skipped_parts_come_from_the_course_and_work_with_the_students(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_parts().ranks(torch.eye(3), torch.tensor([2, 1, 2])).tolist() == [2, 1, 1]
    assert capsys.readouterr().out == ALL
    own = "def causal_mask(time):\n    return torch.ones(time, time).tril() > 0  # mine\n"
    assert (
        solve("05.causal_mask", own) == f"It is in my_m2se.py now: 1 of {len(spine.PARTS)} parts."
    )
    parts = load_parts()
    said = capsys.readouterr().out
    assert said == "Yours: causal_mask. The other 27 parts are the course's.\n"
    assert "# mine" in spine.find_source(parts.causal_mask).text
    assert parts.causal_attention.__globals__["causal_mask"] is parts.causal_mask
    assert parts.M2SE(4, dim=4)(dict.fromkeys(("text", "image"), torch.ones(1, 2, 4)))


def test_parts_stand_in_order_and_a_later_version_replaces_an_earlier_one(work: Path) -> None:
    for part in ("05.block", "01.ranks", "07.match_scores", "02.prompts"):
        solve(part)
    file = work / "my_m2se.py"
    text = file.read_text("utf-8")
    marks = [line for line in text.splitlines() if line.startswith("#")]
    assert marks == ["# 01.ranks", "# 02.prompts", "# 05.block", "# 07.match_scores"]
    file.write_text(text.replace("# 02.prompts", "EXTRA = 3  # by hand\n\n\n# 02.prompts"), "utf-8")
    solve("01.ranks", "def ranks(scores, targets):\n    return scores  # newer")
    text = file.read_text("utf-8")
    assert text.count("def ranks") == 1
    assert "# newer" in text
    assert "EXTRA = 3  # by hand" in text
    assert [path.name for path in work.iterdir() if path.suffix == ".py"] == ["my_m2se.py"]


def test_a_damaged_file_is_set_aside_with_one_line(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, damaged in enumerate(("def ranks(:", "import no_such_module"), 1):
        (work / "my_m2se.py").write_text(damaged, "utf-8")
        solve("01.ranks")
        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert ("my_m2se.py, line 1: does not run (SyntaxError" in said) is (number == 1)
        assert f"it is now my_m2se_set_aside_{number}.py" in said
        assert (work / f"my_m2se_set_aside_{number}.py").read_text("utf-8") == damaged
        assert "def ranks" in (work / "my_m2se.py").read_text("utf-8")


def test_a_damaged_file_that_cannot_be_renamed_is_not_overwritten(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (work / "my_m2se.py").write_text("def ranks(:", "utf-8")
    monkeypatch.setattr(Path, "rename", refuse)
    assert solve("01.ranks") == "It is not in my_m2se.py: the file that is there does not run."
    assert "it cannot be renamed (Permission denied)." in capsys.readouterr().out
    assert (work / "my_m2se.py").read_text("utf-8") == "def ranks(:"


def test_form_feeds_and_byte_order_marks_move_no_line(work: Path) -> None:
    solve("01.ranks")
    file = work / "my_m2se.py"
    text = file.read_text("utf-8").replace("# 01.ranks", "# mine\x0c, \u2028 too\n\x0c\n# 01.ranks")
    file.write_text("\ufeff" + text, "utf-8")
    own = "def ranks(scores, targets):\n    return scores"
    assert "1 of" in solve("01.ranks", own)
    assert file.read_text("utf-8") == text[: text.index("def ranks")] + own + "\n"


def test_two_kernels_that_save_at_the_same_time_lose_no_part(work: Path) -> None:
    def save(part: str) -> None:
        exercise = find_exercise(part)
        cell = type_cell(exercise.solution_code())
        assert "It is in" in spine.save_part(exercise, cell[exercise.answer_name()])

    parts = ("01.ranks", "02.prompts", "04.last_kept", "05.causal_mask")
    with ThreadPoolExecutor() as pool:
        list(pool.map(save, parts))
    text = (work / "my_m2se.py").read_text("utf-8")
    assert [part for part in parts if f"# {part}\n" not in text] == []


def test_in_static_mode_nothing_is_read_or_written(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "my_m2se.py").write_text("def ranks(:", "utf-8")
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    assert solve("01.ranks") == ""
    load_parts()
    assert capsys.readouterr().out == ALL
    assert [path.name for path in work.iterdir()] == ["my_m2se.py"]


def test_what_cannot_stand_in_the_file_is_refused_with_the_reason(work: Path) -> None:
    exercise = find_exercise("01.ranks")
    space = type_cell("def my_ranks(scores, targets):\n    return targets")
    assert "call it ranks instead of my_ranks" in spine.save_part(exercise, space["my_ranks"])
    for unreadable in (lambda scores, targets: targets, eval("lambda: 1"), 3, len):
        assert "its lines cannot be read" in spine.save_part(exercise, unreadable)
    late = "def ranks(scores, targets, one=other):\n    return targets"
    found = spine.save_part(exercise, type_cell(late, {"other": 1})["ranks"])
    assert (
        found == "It is not in my_m2se.py, where it raises NameError: name 'other' is not defined."
    )
    assert not (work / "my_m2se.py").exists()


def test_a_part_is_checked_among_the_parts_and_without_other_cells(
    work: Path, shown: list[dict[str, str]]
) -> None:
    cell = "def top_keywords(images, words, dictionary, n):\n    "
    order = "cosine_scores(images, words).argsort(dim=1, descending=True)[:, :n].tolist()"
    cell += f"return [[dictionary[i] for i in row] for row in {order}]"
    wrong = {"cosine_scores": lambda *given: ...}  # skipped: the starter is still there
    check("02.top_keywords", type_cell(cell, wrong)["top_keywords"])
    assert shown[-1]["text/plain"].startswith("✓ 02.top_keywords, correct:")
    helped = cell.replace("return", "helper()\n    return")
    check("02.top_keywords", type_cell(helped, {"helper": print})["top_keywords"])
    error = "your code raised NameError: name 'helper' is not defined (line 2 of your cell)"
    assert f"{error}; a part of your model cannot use other cells" in shown[-1]["text/plain"]
    assert "helper()" not in (work / "my_m2se.py").read_text("utf-8")


def test_the_verdict_of_a_check_is_recorded(work: Path, shown: list[dict[str, str]]) -> None:
    from course.progress import load_progress

    check("04.share", 0.5)
    check("01.ranks", type_cell(find_exercise("01.ranks").solution_code())["ranks"])
    assert load_progress()["exercises"] == {"04.share": "not yet", "01.ranks": "correct"}


def test_a_class_of_a_cell_is_found_and_graded_with_the_line_of_its_error() -> None:
    exercise = find_exercise("03.attention_pooling")
    code = "x = 1\n\n" + exercise.solution_code().replace("energy = ", "energy = y + ")
    attempt = type_cell(code)["AttentionPooling"]
    found = spine.find_source(attempt)
    assert found.text.startswith("class AttentionPooling(nn.Module):")
    line = code.splitlines().index(next(one for one in code.splitlines() if "y + " in one)) + 1
    status, message = grade_attempt(exercise, attempt)
    assert status == "error"
    assert message.endswith(f"NameError: name 'y' is not defined (line {line} of your cell)")
