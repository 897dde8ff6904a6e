"""``msm4sr evaluate``: parts, filters, candidates and what is printed."""

import json

import pytest


@pytest.fixture
def command(toy):
    """Return the words of an evaluation of the finished run."""
    return ["evaluate", toy.data, "--model", toy.run]


def test_json_has_the_documented_keys(command, json_of, toy):
    found = json_of(*command, "--part", "test")
    assert set(found) == {"dataset", "protocol", "models", "upper_bound", "notes"}
    assert found == json.loads((toy.run / "results.json").read_text())
    assert set(found["models"]["msm4sr"]["ndcg@10"]) == {"value", "low", "high"}
    assert found["protocol"] == {
        "part": "test",
        "split": "leave-one-out",
        "users": 60,
        "items": 40,
        "candidates": "all",
        "filter_seen": True,
    }


def test_the_validation_part_is_measured_by_default(command, json_of):
    found = json_of(*command)
    assert found["protocol"]["part"] == "valid"
    assert found["models"] != json_of(*command, "--part", "test")["models"]


def test_seen_items_are_filtered_or_kept_or_both(command, json_of, msm4sr):
    both = json_of(*command, "--filter-seen", "both")["results"]
    assert [one["protocol"]["filter_seen"] for one in both] == [False, True]
    assert both[0] == json_of(*command, "--filter-seen", "no")
    assert both[1] == json_of(*command)
    assert both[0]["models"] != both[1]["models"]
    out = msm4sr(*command, "--filter-seen", "both")[1]
    assert out.count("seen items kept\n") == out.count("seen items filtered out\n") == 1


def test_baselines_are_those_asked_for(command, msm4sr, refused):
    out = msm4sr(*command, "--baselines", "popularity, sequential_rules")[1]
    assert "\nsequential_rules  " in out
    assert "item_knn" not in out
    assert msm4sr(*command, "--baselines", "")[0] == 0
    message = "no baseline 'magic'; there are popularity, item_knn"
    assert message in refused(*command, "--baselines", "magic")


def test_listed_candidates_compete_with_each_target(command, json_of, refused, tmp_path):
    everything, listed = json_of(*command), tmp_path / "candidates.txt"
    for count in (40, 2):
        listed.write_text("".join(f"i{n}\n" for n in range(count)))
        found = json_of(*command, "--candidates", listed)
        assert found["protocol"]["candidates"] == count
        assert (found["models"] == everything["models"]) == (count == 40)
    assert found["models"]["msm4sr"]["recall@5"]["value"] == 1  # at most two rivals
    listed.write_text("i1\nghost\n")
    assert "candidates: 'ghost' is not an item of the model's 40 items" in refused(
        *command, "--candidates", listed
    )
    listed.write_text("\n")
    assert "candidates.txt: no item_id in it" in refused(*command, "--candidates", listed)
    nowhere = tmp_path / "none.txt"
    assert "none.txt: cannot be read" in refused(*command, "--candidates", nowhere)


def test_a_folder_without_a_model_is_refused(toy, refused, tmp_path):
    message = "no trained model in this folder; make one with `msm4sr run`"
    assert message in refused("evaluate", toy.data, "--model", tmp_path)


def test_items_that_the_model_does_not_know_are_refused(toy, refused, tmp_path):
    data = tmp_path / "bigger"
    data.mkdir()
    for name, more in (("interactions.csv", "u1,new,9\n"), ("items.jsonl", '{"item_id": "new"}\n')):
        (data / name).write_text((toy.data / name).read_text() + more.replace('w"}', 'w", "title": "N"}'))  # fmt: skip  # noqa: E501
    assert "(the first is 'new')" in refused("evaluate", data, "--model", toy.run)
