"""Right solutions written differently are accepted; plausible wrong ones are refused, and why."""

from __future__ import annotations

from typing import Any

import pytest
from course import spine
from course.checks import NO_GRADIENTS, find_exercise, grade_attempt

FLOATS, LISTS = "a tensor of integers was expected", "a tensor was expected"
BATCH = """
def make_batch(sequences, max_len):
    windows = [sequence[-max_len - 1 :] for sequence in sequences]
    time = max(map(len, windows)) - 1
    pad = lambda items: items + [0] * (time - len(items))
    return RETURN
"""
MIXUP = """
def complementary_mixup(text, image, swaps):
    mixed, other = START
    mixed[swaps], other[swaps] = image[swaps], text[swaps]
    return mixed, other
"""
ATTENTION = """
def causal_attention(query, key, value, dropout=0.0):
    scores = query @ key.mT * query.shape[-1] ** -0.5
    scores = scores.masked_fill(~causal_mask(query.shape[-2]), -torch.inf)
    return RETURN
"""
DROPPED = "a share dropout of the weights becomes 0"
SCORES = """
@torch.no_grad()
def score_histories(model, features, histories, max_len=50):
    rows = [model(model.embed(features, torch.tensor([h[-max_len:]]))) for h in histories]
    every = model.embed(features, torch.arange(len(features["text"][0])))
    return torch.cat([match_scores({m: s[:, -1] for m, s in row.items()}, every) for row in rows])
"""
FALL = """
def joint_fall(score, history, effects, k):
    order = sorted(range(len(history)), key=lambda i: KEY)[:k]
    return score(history) - score([x for i, x in enumerate(history) if KEPT])
"""
ROWS = """
def rows(orders):
    found = [(o["user"], item, o["time"]) for o in orders for item in o["items"]]
    return sorted(found, key=lambda row: KEY)
"""
HOLM = """
def holm(p):
    order, found = np.argsort(p), np.empty(len(p))
    factors = FACTORS
    found[order] = np.minimum(1, np.maximum.accumulate(np.array(p)[order] * factors))
    return found
"""
TENSORS = (
    "torch.tensor([pad(w[:-1]) for w in windows]), torch.tensor([pad(w[1:]) for w in windows])"
)


def part(name: str, old: str, new: str) -> str:
    code = find_exercise(name).solution_code()
    assert code.count(old) == 1
    return code.replace(old, new)


CASES = [
    ("01.make_batch", BATCH.replace("RETURN", TENSORS), ""),
    ("01.make_batch", part("01.make_batch", ", dtype=torch.long", ""), FLOATS),
    ("01.make_batch", BATCH.replace("RETURN", TENSORS.replace("torch.tensor", "")), LISTS),
    ("04.drop_items", part("04.drop_items", "order)", "order).float()"), FLOATS),
    ("04.last_kept", part("04.last_kept", ".long()", ""), ""),
    ("04.last_kept", part("04.last_kept", "long", "float"), FLOATS),
    ("04.complementary_mixup", MIXUP.replace("START", "text.clone(), image.clone()"), ""),
    (
        "04.complementary_mixup",
        MIXUP.replace("START", "text.data, image.data.clone()"),
        NO_GRADIENTS,
    ),
    (
        "05.causal_attention",
        ATTENTION.replace(
            "RETURN",
            "F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=dropout)",
        ),
        "",
    ),
    *(
        ("05.causal_attention", ATTENTION.replace("RETURN", wrong), DROPPED)
        for wrong in (
            "F.dropout(scores.softmax(-1) @ value, dropout)",
            "F.dropout(scores, dropout).softmax(-1) @ value",
            "scores.softmax(-1) @ F.dropout(value, dropout)",
            "F.dropout(scores.softmax(-1), 0.1 if dropout else 0.0) @ value",
        )
    ),
    ("05.block", part("05.block", "self.dropout(read)", "read"), "dropout is missing somewhere"),
    ("03.moe_adaptor", part("03.moe_adaptor", "outputs).sum(dim=1)", "outputs).sum(1)"), ""),
    (
        "03.moe_adaptor",
        part("03.moe_adaptor", "self.dropout(self.project(x))", "self.project(self.dropout(x))"),
        "it follows project(x)",
    ),
    ("06.next_item_loss", part("06.next_item_loss", "/ tau", "/ 0.5"), "division by tau"),
    ("07.score_histories", SCORES, ""),
    ("07.holm", HOLM.replace("FACTORS", "np.arange(len(p), 0, -1)"), ""),
    ("07.holm", HOLM.replace("FACTORS", "4 - np.arange(len(p))"), "0.001 x 4"),
    ("10.rows", ROWS.replace("KEY", "row[2]"), ""),
    ("10.rows", ROWS.replace("KEY", "(row[2], row[0])"), "seven rows"),
    ("11.joint_fall", FALL.replace("KEY", "-effects[i]").replace("KEPT", "i not in order"), ""),
    (
        "11.joint_fall",
        FALL.replace("KEY", "-abs(effects[i])").replace("KEPT", "i not in order"),
        "k items with the largest effects",
    ),
    (
        "11.joint_fall",
        FALL.replace("KEY", "-effects[i]").replace("KEPT", "x not in [history[j] for j in order]"),
        "k items with the largest effects",
    ),
]


@pytest.mark.parametrize(("name", "code", "message"), CASES)
def test_the_verdict_is_right(name: str, code: str, message: str) -> None:
    exercise = find_exercise(name)
    space: dict[str, Any] = vars(spine.run_source(spine.reference_source()))
    exec(code, space)
    status, said = grade_attempt(exercise, space[exercise.answer_name()])
    assert status == ("not yet" if message else "correct"), said
    assert message in said
