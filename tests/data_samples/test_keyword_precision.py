"""The precision of keywords on drawings whose true words are known."""

from data_samples.make.drawing import Look
from data_samples.make.keyword_precision import score

LOOK = Look("mug", "blue", "red", "striped", "tall")


def test_scores_by_hand() -> None:
    plain = Look("kite", "red", "blue", "plain", "round")
    result = score(
        [
            (LOOK, ["mug", "blue", "red", "striped", "tall"]),
            (plain, ["kite", "red", "blue", "round", "guitar"]),
        ]
    )
    assert result["top5_precision"] == 0.8
    assert result["best_possible"] == 0.9
    assert result["recall"] == {
        "product": 1.0,
        "colour": 1.0,
        "accent": 1.0,
        "pattern": 0.5,
        "shape": 1.0,
    }
    assert result["precision"]["colour"] == 0.75
    assert result["distractors"] == 0.1
