"""Drawings of notebooks 07 and 08: fine-tuning, new items, and another domain."""

from __future__ import annotations

import math

from course.sketches.canvas import MARGIN, Canvas
from course.sketches.features import softmax

TAU = 0.07
CATALOGUE = (
    ("cup", 0.41, 0.38),
    ("lamp", 0.52, 0.44),
    ("clock", 0.55, 0.49),
    ("tent", 0.0, 0.0),
    ("cushion", 0.40, 0.53),
    ("bottle", 0.30, 0.22),
)


def fine_tuning() -> Canvas:
    """Draw the fine-tuning loss over the whole catalogue."""
    known = [row for row in CATALOGUE if row[0] != "tent"]
    shares = softmax(tuple((t + v) / TAU for _, t, v in known))
    by_name = {row[0]: share for row, share in zip(known, shares, strict=True)}
    loss = -math.log(by_name["clock"])
    c = Canvas(
        "fine_tuning",
        "Fine-tuning: the target competes with the catalogue",
        "A history of cup, candle and lamp gives the states h_t and h_v. Every item of the"
        " catalogue has two embeddings, z_t and z_v, each plus the same ID embedding. Its score is"
        " cos(h_t, z_t) + cos(h_v, z_v). The softmax of score / tau runs over all items: "
        + ", ".join(f"{name} {share:.2f}" for name, share in by_name.items())
        + f". The target is the clock, so the loss is {loss:.2f} nats. With candidates=seen, an"
        " item without training interactions, the tent, is left out of the softmax.",
        480,
    )
    for place, name in enumerate(("cup", "candle", "lamp")):
        c.item(name, MARGIN, 116 + place * 72, 60)
    c.text(MARGIN, 84, "**history**")
    c.arrow((90, 218), (105, 218))
    c.box(107, 176, 60, 84, "dark", "M²SE", 16)
    c.arrow((168, 218), (184, 218))
    c.box(186, 166, 48, 46, "text", "$h_t$", 18)
    c.box(186, 222, 48, 46, "image", "$h_v$", 18)
    c.text(264, 84, "**whole catalogue**")
    c.text(458, 84, "**score**")
    c.text(572, 84, "**softmax**")
    for place, (name, text, image) in enumerate(CATALOGUE):
        y = 96 + place * 54
        hidden, hit = name == "tent", name == "clock"
        if hit:
            c.box(258, y - 2, 398, 52, "target")
        c.icon(name, 264, y + 4, 40)
        for x, modality in ((310, "text"), (382, "image")):
            c.box(
                x, y + 5, 68, 38, modality, f"$z_{modality[0] if modality == 'text' else 'v'}$", 17
            )
            c.add("circle", cx=x + 58, cy=y + 24, r=5.5, class_="k-id")
        if hidden:
            c.box(458, y + 6, 190, 36, "masked", "candidates=seen: left out", 15)
            continue
        c.bar(458, y + 11, 60 * text, 26, "text")
        c.bar(458 + 60 * text, y + 11, 60 * image, 26, "image")
        c.text(464 + 60 * (text + image), y + 30, f"{text + image:.2f}", size=15)
        c.bar(572, y + 11, 44 * by_name[name], 26, "target" if hit else "plain")
        c.text(578 + 44 * by_name[name], y + 30, f"{by_name[name]:.2f}", size=15)
    c.arrow((236, 218), (254, 218))
    c.add("circle", cx=MARGIN + 8, cy=366, r=5.5, class_="k-id")
    c.text(MARGIN + 22, 371, "+ ID embedding", "id", 15)
    c.text(MARGIN, 395, "one per item, the\nsame in $z_t$ and $z_v$", "muted", 15)
    c.text(MARGIN, 456, "score = cos$(h_t, z_t)$ + cos$(h_v, z_v)$;", size=16)
    c.text(318, 456, f"loss = $−$log softmax(score$ / τ$) = {loss:.2f} nats", "target", 16)
    return c


def new_item() -> Canvas:
    """Draw how an item without interactions gets an embedding, or none."""
    c = Canvas(
        "new_item",
        "Cold start: two ways to represent a new item",
        "Two chains for a new item, a tent. Upper: a recommender that knows items by number only"
        " looks the number up in its table of ID embeddings, where the item has no row, so it has"
        " no score. Lower: M²SE takes the item's text and image; BERT and CLIP, pooling and the MoE"
        " adaptor make z_t and z_v, which give a score for every user.",
        380,
    )
    c.text(MARGIN, 92, "**by its number**", size=17)
    c.item("tent", MARGIN, 108, 70)
    c.arrow((102, 143), (132, 143))
    c.box(134, 118, 100, 50, "plain", "item 401", 17)
    c.arrow((236, 143), (272, 143))
    for row, words in enumerate(("1", "2", "…", "400")):
        c.box(276, 80 + row * 30, 120, 27, "id", words, 15)
    c.box(276, 200, 120, 27, "masked", "401: no row", 15)
    c.line((272, 143), (262, 143), (262, 213), (274, 213), dash="5 4")
    c.arrow((398, 213), (452, 160), dash="5 4")
    c.box(456, 118, 196, 50, "masked", "no embedding, no score", 16)
    c.line((MARGIN, 244), (652, 244), width=1, dash="2 4")
    c.text(MARGIN, 274, "**by its content**", size=17)
    c.item("tent", MARGIN, 290, 70)
    c.arrow((102, 310), (130, 310), kind="text")
    c.arrow((102, 340), (130, 340), kind="image")
    c.box(132, 284, 92, 40, "text", "text", 16)
    c.box(132, 330, 92, 40, "image", "image", 16)
    c.arrow((226, 327), (252, 327))
    c.box(254, 292, 142, 70, "plain", "BERT, CLIP,\npooling, MoE", 16)
    c.arrow((398, 327), (424, 327))
    c.box(426, 284, 62, 40, "text", "$z_t$", 18)
    c.box(426, 330, 62, 40, "image", "$z_v$", 18)
    c.arrow((490, 327), (514, 327))
    c.box(516, 292, 136, 70, "target", "a score for\nevery user", 16)
    return c


def transfer() -> Canvas:
    """Draw what a model keeps, and what is new, in another domain."""
    c = Canvas(
        "transfer",
        "Domain transfer: what is kept, what is new",
        "A table with a row for each part and two columns: pre-training on the domain home, then"
        " fine-tuning on the domain outdoor. Users and items: home's, then others, all new. BERT"
        " and CLIP: frozen in both. Attention pooling, MoE adaptors and the Transformer: trained,"
        " then copied and trained on. ID embeddings: none, then new, from small random values.",
        446,
    )
    first, second, wide = 190, 446, 206
    for x, words, names in (
        (first, "**pre-training: home**", ("cup", "lamp", "clock")),
        (second, "**fine-tuning: outdoor**", ("tent", "bottle", "basket")),
    ):
        c.text(x + wide / 2, 84, words, anchor="middle")
        c.box(x, 96, wide, 64)
        for place, name in enumerate(names):
            c.icon(name, x + 20 + place * 60, 104, 46)
    rows = (
        ("BERT and CLIP", "plain", "frozen", "plain", "frozen, the same", False),
        ("attention pooling", "dark", "trained", "dark", "trained on", True),
        ("MoE adaptors", "dark", "trained", "dark", "trained on", True),
        ("Transformer", "dark", "trained", "dark", "trained on", True),
        ("ID embeddings", "masked", "none", "id", "new", False),
    )
    c.text(MARGIN, 124, "users, items,\ninteractions")
    c.text(421, 134, "≠", "muted", 24, "middle")
    for place, (name, kind, words, after, then, copied) in enumerate(rows):
        y = 174 + place * 48
        c.text(MARGIN, y + 25, name)
        c.box(first, y, wide, 40, kind, words)
        c.box(second, y, wide, 40, after, then)
        if copied:
            c.arrow((first + wide + 6, y + 20), (second - 4, y + 20), width=4)
        elif place == 0:
            c.text(421, y + 27, "=", "muted", 24, "middle")
    c.text(second + wide / 2, 428, "from small random values", "id", 15, "middle")
    c.text(first + wide / 2, 428, "bold arrow: weights copied", "muted", 15, "middle")
    return c


DRAWINGS = (fine_tuning, new_item, transfer)
