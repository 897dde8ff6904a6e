"""The harness: seeded damage, the slow reader beside the library's, planted faults are found."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from msm4sr_lite.config import UserError
from tests.robustness import harness, slow_reader
from tests.robustness.damage import BYTES, FILES, KINDS, damage_file, link_elsewhere, unreadable
from tests.robustness.harness import Case, Runner, cases
from tests.robustness.outcomes import Fault, Refusal, judge
from tests.robustness.resealed import reseal
from tests.robustness.stop_targets import STAGES, StopRunner
from tests.robustness.stops import Stop, run_stopped
from tests.robustness.targets import TARGETS
from tests.robustness.uses import read_tables, right_reading
from tests.robustness.world import KINDS as TABLE_KINDS
from tests.robustness.world import TIMES, seeded, write_tables

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("kind", TABLE_KINDS)
def test_two_readers_agree_on_undamaged_tables(kind, times, tmp_path):
    folder = write_tables(tmp_path / "shop", kind, times)
    assert read_tables(folder)[0] == right_reading(folder)


def test_equal_seeds_give_equal_damage_and_others_do_not(tmp_path):
    def damaged(seed):
        path = write_tables(tmp_path / f"{seed}-{len(list(tmp_path.iterdir()))}", "csv")
        done = damage_file(path / "interactions.csv", seeded(seed))
        there = (path / "interactions.csv").is_file()
        return done, (path / "interactions.csv").read_bytes() if there else b""

    found = [damaged(seed) for seed in range(12)]
    assert found == [damaged(seed) for seed in range(12)]
    assert len(set(found)) == 12


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".json"])
def test_every_damage_of_a_text_changes_it(kind, tmp_path):
    folder = write_tables(tmp_path / "shop", "csv")
    name = "interactions.csv" if kind == ".csv" else "items.jsonl"
    data = (folder / name).read_bytes()
    data = (
        json.dumps(json.loads(data.splitlines()[0]), indent=1).encode() if kind == ".json" else data
    )
    for damage in [*KINDS[kind], *BYTES]:
        found = [damage(data, seeded(damage.__name__, n)) for n in range(5)]
        assert damage.__name__ == "unpack" or any(one != data for one in found), damage.__name__


@pytest.mark.parametrize("change", FILES, ids=lambda change: change.__name__)
def test_a_file_of_another_kind_is_refused_and_a_good_link_is_followed(change, tmp_path):
    folder = write_tables(tmp_path / "shop", "csv")
    whole = right_reading(folder)
    change(folder / "interactions.csv")
    if change is link_elsewhere or (change is unreadable and os.geteuid() == 0):
        assert right_reading(folder) == whole
    else:
        with pytest.raises(slow_reader.Refused):
            slow_reader.read(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("u1,i1", "2 cells"),
        ("u1,i1,5,7", "4 cells"),
        (",i1,5", "id"),
        ("1.51592E+18,i1,5", "id"),
        ("u1,i99,5", "unknown item"),
        ("u1,i1,2023-11-14", "numbers and others"),
        ("u1,i1,nan", "numbers and others"),
        ("u1,i1,1700000000000", "two units"),
        ('u1,"i1,5', "unexpected end"),
    ],
)
def test_the_slow_reader_refuses_what_has_no_single_reading(line, why, tmp_path):
    folder = write_tables(tmp_path / "shop", "csv")
    with (folder / "interactions.csv").open("a", encoding="utf-8") as stream:
        stream.write(line)
    with pytest.raises(slow_reader.Refused, match=why):
        slow_reader.read(folder)


def test_cases_are_spread_over_all_targets():
    found = cases(500, seed=0)
    assert {case.target for case in found} == {one.name for one in (*TARGETS, *STAGES)}
    assert abs(len(found) - 500) < 20
    assert cases(9, seed=0, names=["plot"]) == [Case("plot", 0, n) for n in range(9)]


def test_a_reader_that_drops_a_row_is_found(world, tmp_path, monkeypatch):
    """Without this the whole harness could be blind."""
    from msm4sr_lite.dataset import sources

    real = sources.match_items_and_interactions

    def careless(*words):
        items, table, notes = real(*words)
        return items, table.iloc[:-1], notes

    before = run(world, tmp_path, "tables", 20)
    monkeypatch.setattr("msm4sr_lite.dataset.dataset.match_items_and_interactions", careless)
    after = run(world, tmp_path, "tables", 20)
    assert before["clean"] > 1
    assert after["clean"] == 0
    assert after["silent"] >= before["silent"] + before["clean"]


def run(world, folder, target, n):
    """Count the outcomes of some cases."""
    (folder / "work").mkdir(exist_ok=True)
    before = Path.cwd()
    try:
        runner = Runner(world, folder / "work")
        return Counter(runner.run(Case(target, 5, number))[1].kind for number in range(n))
    finally:
        os.chdir(before)


def test_damage_behind_right_checksums_meets_the_checks_of_the_content(world, tmp_path):
    runner = Runner(world, tmp_path)
    found = [runner.run(Case("features", 4, number)) for number in range(40)]
    resealed = [outcome for what, outcome in found if "with new checksums" in what]
    assert len(resealed) > 5
    assert {outcome.kind for outcome in resealed} <= {"clean", "refused"}
    assert not any("has changed since it was written" in outcome.detail for outcome in resealed)


@pytest.mark.parametrize(
    ("name", "content", "done", "resealed"),
    [
        ("text.npy", b"", "one_nan", True),
        ("text.npy", b"", "swapped_rows", False),
        ("text.npy", b"", "one_nan+flip_bits", False),
        ("items.json", b'["i2", "i1"]', "odd_value", False),
        ("items.json", b"[null]", "odd_value", True),
        ("keywords.jsonl", b'{"item_id": "a", "keywords": ["x"]}\n', "line_twice", False),
        ("keywords.jsonl", b"null\n", "odd_value", True),
    ],
)
def test_only_damage_whose_right_outcome_is_known_gets_new_checksums(
    name, content, done, resealed, tmp_path
):
    inner = tmp_path / "model" / "features"
    inner.mkdir(parents=True)
    (inner / name).write_bytes(content)
    for folder in (inner, inner.parent):
        (folder / "SHA256SUMS").write_text("")
    found = [reseal(inner / name, tmp_path, done, seeded(n)) for n in range(30)]
    assert any(found) == resealed
    assert not all(found)
    assert (name in (inner / "SHA256SUMS").read_text()) == resealed


def test_the_judge_finds_every_fault(tmp_path):
    def raising(error):
        def act():
            raise error

        return act

    def drafts():
        (tmp_path / ".run.17.draft").mkdir()
        return 1, []

    def sleeps():
        while True:
            pass

    def kind(act, expected=(1, []), **options):
        return judge(act, expected, folder=tmp_path, seconds=0.2, **options).kind

    assert kind(lambda: (1, [])) == "clean"
    assert kind(lambda: (2, [])) == "silent"
    assert kind(lambda: (2, ["2 texts were cut"])) == "silent"  # no note explains it
    assert kind(lambda: (2, ["2 texts were cut"]), noted="texts were cut") == "noted"
    assert kind(lambda: (2, ["1 row was dropped"]), noted="texts were cut") == "silent"
    assert kind(lambda: (2, ["texts were cut"]), (1, ["texts were cut"]), noted="cut") == "silent"
    assert kind(lambda: (1, ["texts were cut"]), must_refuse=True, noted="cut") == "silent"
    assert kind(lambda: (1, []), must_refuse=True) == "silent"
    assert kind(raising(UserError(f"{tmp_path}/a.csv line 3: wrong"))) == "refused"
    assert kind(raising(Refusal(f"{tmp_path}/a.csv line 3:\nwrong"))) == "message"
    assert kind(raising(Refusal(f"{tmp_path}/a.csv \x1b[31m"))) == "message"
    assert kind(raising(UserError("line 3: wrong"))) == "message"
    assert kind(raising(KeyError("a"))) == "traceback"
    assert kind(raising(Fault("silent", "half a folder"))) == "silent"
    assert kind(sleeps) == "hang"
    assert kind(drafts) == "litter"


def test_a_worker_that_dies_is_counted_and_replaced(world, tmp_path, monkeypatch):
    def dies(runner, case):
        if case.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "nothing", harness.Outcome("clean")

    monkeypatch.setattr(Runner, "run", dies)
    wanted = [Case("plot", 0, number) for number in range(4)]
    found = list(harness.run_cases(world, tmp_path, wanted, jobs=1))
    assert [(case.number, outcome.kind) for case, _, outcome in found] == [
        (0, "clean"),
        (1, "crash"),
        (2, "clean"),
        (3, "clean"),
    ]


def test_moments_are_the_same_each_time_and_stops_hit_them(world, tmp_path):
    stage = next(stage for stage in STAGES if stage.name == "stop convert")
    runner = StopRunner(world, stage, tmp_path / "case")
    expected, moments = runner.undisturbed()
    assert runner.undisturbed() == (expected, moments)
    assert moments > 5
    runner.prepare()
    assert run_stopped(runner.words, Stop(2)).code == -signal.SIGKILL
    assert not (tmp_path / "case" / "out" / "dataset").exists()
    assert run_stopped(runner.words, Stop(2, "full")).code == 2
    assert run_stopped(runner.words, Stop(moments + 1)).code == 0
    assert runner.snapshot() == expected
