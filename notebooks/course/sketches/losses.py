"""Drawings of notebook 06: what the losses compare, and where gradients flow."""

from __future__ import annotations

import math

from course.sketches.canvas import MARGIN, Canvas
from course.sketches.features import softmax

TAU = 0.07
TARGETS = ("cup", "lamp", "clock", "cup", "tent")  # rows 1 and 4 have the same target
COSINES = (
    (0.61, 0.50, 0.34, 0.61, 0.12),
    (0.36, 0.55, 0.38, 0.36, 0.51),
    (0.42, 0.10, 0.48, 0.42, 0.05),
    (0.58, 0.44, 0.49, 0.58, 0.16),
    (0.08, 0.52, 0.02, 0.08, 0.49),
)


def row_losses() -> list[float]:
    """Return the loss of each row, false negatives excluded."""
    losses = []
    for i, row in enumerate(COSINES):
        kept = [j for j in range(5) if j == i or TARGETS[j] != TARGETS[i]]
        losses.append(-math.log(softmax(tuple(row[j] / TAU for j in kept))[kept.index(i)]))
    return losses


def infonce() -> Canvas:
    """Draw InfoNCE as a table of cosines."""
    losses = row_losses()
    mean = sum(losses) / len(losses)
    c = Canvas(
        "infonce",
        "InfoNCE: each state must find its own next item",
        "A table of cosines. Row i is the state h_i of a sequence, column j the embedding z_j of a"
        " target: cup, lamp, clock, cup, tent. The diagonal holds the positives, the other cells"
        " the in-batch negatives. Rows 1 and 4 have the same target, so the cells (1, 4) and (4, 1)"
        " are false negatives and are excluded. With temperature 0.07 the losses of the rows are "
        + ", ".join(f"{value:.2f}" for value in losses)
        + f"; the batch's loss is their mean, {mean:.2f} nats.",
        520,
    )
    left, top, cell = 92, 144, 72
    c.text(left + 2.5 * cell, 80, "target embeddings of the batch", "muted", 15, "middle")
    c.text(480, 116, "loss of the row", "muted", 15)
    c.text(480, 135, "$−$log $p_{ii}$", "muted", 15)
    for i, row in enumerate(COSINES):
        y = top + i * 60
        c.icon(TARGETS[i], left + i * cell + 2, 90, 36)
        c.text(left + i * cell + 40, 120, f"$z_{i + 1}$", "target", 18)
        c.box(MARGIN, y + 4, 50, 46, "dark", f"$h_{i + 1}$", 18)
        for j, cosine in enumerate(row):
            x = left + j * cell
            false = i != j and TARGETS[i] == TARGETS[j]
            kind = "target" if i == j else "masked" if false else "plain"
            c.box(x, y, cell - 6, 54, kind, "" if false else f"{cosine:.2f}", 17)
        c.arrow((left + 5 * cell, y + 27), (474, y + 27))
        c.bar(480, y + 17, 80 * losses[i], 20)
        c.text(486 + 80 * losses[i], y + 33, f"{losses[i]:.2f}")
    for x, kind, words in (
        (left, "target", "positive"),
        (left + 120, "plain", "in-batch negative"),
        (left + 304, "masked", "false negative: excluded"),
    ):
        c.box(x, 452, 26, 20, kind)
        c.text(x + 34, 467, words, "muted", 15)
    c.text(
        MARGIN,
        501,
        f"$p_{{ij}}$: softmax over $j$ of cos$(h_i, z_j) / τ$,  $τ$ = {TAU};  mean {mean:.2f} nats",
        size=16,
    )
    return c


def cross_modality() -> Canvas:
    """Draw what NIP and CMCL compare."""
    c = Canvas(
        "cross_modality",
        "What the two losses compare",
        "Three rows of a batch, each with z_t, h_t, h_v and z_v. For the anchor h_t of row 1: NIP"
        " attracts its own target's z_t and repels the z_t of rows 2 and 3. CMCL attracts the h_v"
        " of the same row and repels h_t and h_v of row 2, another user. Row 3 belongs to the same"
        " user at an earlier position: it is excluded from CMCL and stays a negative in NIP. The"
        " anchor h_v is treated in the same way with z_v.",
        466,
    )
    columns = {"z_t": 164, "h_t": 306, "h_v": 456, "z_v": 600}
    rows = (148, 252, 356)
    labels = ("**row 1**\nanchor", "**row 2**\nother user", "**row 3**\nsame user,\nearlier")
    for words, x in (("NIP", 235), ("CMCL", 381), ("NIP", 528)):
        c.text(x, 92, f"**{words}**", anchor="middle", size=17)
    c.text(235, 112, "next item", "muted", 15, "middle")
    c.text(381, 112, "same sequence", "muted", 15, "middle")
    c.text(528, 112, "next item", "muted", 15, "middle")
    wide = 60
    c.box(columns["h_t"] - 40, rows[2] - 32, 230, 64, "masked")
    c.text(381, rows[2] + 52, "excluded from CMCL, kept in NIP", "muted", 15, "middle")
    for y, other in zip(rows, (False, True, True), strict=True):
        if other:
            c.arrow((columns["h_t"], rows[0] + 12), (columns["z_t"] + 33, y - 6), dash="5 4")
    c.arrow((columns["h_t"] + 16, rows[0] + 22), (columns["h_v"] - 33, rows[1] - 6), dash="5 4")
    c.arrow((columns["h_t"], rows[0] + 22), (columns["h_t"], rows[1] - 24), dash="5 4")
    c.line((columns["h_t"] + 33, rows[0]), (columns["h_v"] - 33, rows[0]), kind="target", width=6)
    c.line((columns["z_t"] + 33, rows[0]), (columns["h_t"] - 33, rows[0]), kind="target", width=6)
    c.line((columns["h_v"] + 33, rows[0]), (columns["z_v"] - 33, rows[0]), kind="target", width=6)
    for y, label in zip(rows, labels, strict=True):
        c.text(MARGIN - 4, y - 4, label, size=15)
        for symbol, x in columns.items():
            kind = "text" if symbol.endswith("t") else "image"
            c.box(x - wide / 2, y - 22, wide, 44, kind, f"${symbol}$", 19)
    c.line((MARGIN, 440), (MARGIN + 40, 440), kind="target", width=6)
    c.text(MARGIN + 50, 445, "positive: attract", "target", 15)
    c.arrow((210, 440), (252, 440), dash="5 4")
    c.text(262, 445, "negative of the anchor $h_t$: repel", "muted", 15)
    return c


def gradients() -> Canvas:
    """Draw where the gradients of pre-training flow, and where they stop."""
    c = Canvas(
        "gradients",
        "Where gradients flow in pre-training",
        "Two columns lead down to the losses. Left, the history: stored slots, pooling and"
        " adaptors, mixup, Transformer, states h_t and h_v. Right, the targets: stored slots, the"
        " same pooling and adaptors, embeddings z_t and z_v. Gradients flow back up both columns,"
        " through mixup, and end at the stored slots: BERT and CLIP do not learn. NIP reaches h and"
        " z; CMCL, weighted with lambda, reaches h only.",
        560,
    )
    left, right, wide = 60, 400, 220
    c.text(left + wide / 2, 82, "**history**", anchor="middle", size=17)
    c.text(right + wide / 2, 82, "**targets**", anchor="middle", size=17)
    for x in (left, right):
        c.box(x, 96, wide, 48, "masked", "slots $x$ of BERT, frozen", 16)
        c.box(x, 194, wide, 54, "plain", "pooling, MoE adaptors", 16)
    c.box(left, 292, wide, 44, "plain", "mixup", 16)
    c.box(left, 380, wide, 48, "dark", "Transformer", 16)
    c.box(left, 480, 104, 48, "plain", "$h_t$   $h_v$", 18)
    c.box(right + 116, 480, 104, 48, "plain", "$z_t$   $z_v$", 18)
    c.box(236, 466, 208, 76, "target", "NIP$_t$ + NIP$_v$\n+ $λ$ CMCL", 17)
    c.line((left + wide + 4, 214), (right - 4, 214), width=1.4)
    c.line((left + wide + 4, 220), (right - 4, 220), width=1.4)
    c.text(340, 206, "same weights", "muted", 15, "middle")
    down = (
        (left + 52, 145, 192),
        (left + 52, 249, 290),
        (left + 52, 337, 378),
        (left + 52, 429, 478),
    )
    for x, start, end in (*down, (right + 168, 145, 192), (right + 168, 249, 478)):
        c.arrow((x, start), (x, end))
    c.arrow((165, 496), (234, 496))
    c.arrow((515, 496), (446, 496))
    back = (
        ((234, 516), (166, 516)),
        ((446, 516), (514, 516)),
        *(((left + 90, a), (left + 90, b)) for a, b in ((478, 430), (378, 338), (290, 250))),
        ((right + 206, 478), (right + 206, 250)),
    )
    for tail, head in back:
        c.arrow(tail, head, kind="gradient", dash="9 4", width=3)
    for x, words, anchor in ((left + 90, left + 110, "start"), (right + 206, right + 160, "end")):
        c.line((x, 192), (x, 168), kind="gradient", dash="9 4", width=3)
        c.line((x - 12, 165), (x + 12, 165), kind="gradient", width=4)
        c.text(words, 174, "stops", "gradient", 15, anchor)
    c.text(424, 300, "**dashed: gradient**\nthrough $h$ and\nthrough $z$", "gradient", 15, "middle")
    c.text(424, 392, "CMCL reaches\n$h$ only", "muted", 15, "middle")
    return c


def temperature() -> Canvas:
    """Draw the same cosines under three temperatures."""
    cosines = (0.50, 0.45, 0.30, 0.05, -0.10)
    taus = (1.0, 0.07, 0.02)
    shares = [softmax(tuple(x / tau for x in cosines)) for tau in taus]
    told = "; ".join(
        f"at {tau:g}: " + ", ".join(f"{p:.2f}" for p in row)
        for tau, row in zip(taus, shares, strict=True)
    )
    c = Canvas(
        "temperature",
        "The temperature decides which negatives count",
        "Five candidates with cosines 0.50 (positive), 0.45 (hard negative), 0.30, 0.05 and -0.10."
        f" Their softmax probabilities {told}. With a large temperature all negatives are repelled"
        " alike; with a small one only the hard negative.",
        394,
    )
    names = ("positive", "hard negative", "negative", "negative", "negative")
    columns = (258, 402, 546)
    c.text(172, 104, "cosine", "muted", 15)
    for x, tau, words in zip(
        columns, taus, ("all alike", "the default", "one negative"), strict=True
    ):
        c.text(x, 84, f"$τ$ = {tau:g}", size=18)
        c.text(x, 104, words, "muted", 15)
    for place, (name, cosine) in enumerate(zip(names, cosines, strict=True)):
        y = 118 + place * 46
        if place == 0:
            c.box(MARGIN - 10, y - 1, 642, 42, "target")
        c.text(MARGIN, y + 25, name)
        c.text(216, y + 25, f"{cosine:.2f}".replace("-", "−"), anchor="end")
        for x, row in zip(columns, shares, strict=True):
            c.bar(x, y + 10, 56 * row[place], 20, "target" if place == 0 else "plain")
            c.text(x + 6 + 56 * row[place], y + 26, f"{row[place]:.2f}", size=15)
    c.text(
        MARGIN,
        376,
        "$p_j$: softmax of cos$(h, z_j) / τ$.  Negative $j$ is repelled in proportion to $p_j$.",
        size=15,
    )
    return c


DRAWINGS = (infonce, cross_modality, gradients, temperature)
