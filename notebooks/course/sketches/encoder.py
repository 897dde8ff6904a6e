"""Drawings of notebook 05: the causal mask, and the whole encoder."""

from __future__ import annotations

from course.sketches.canvas import MARGIN, Canvas

NAMES = ("cup", "candle", "lamp", "cushion", "clock", "basket")


def causal_mask() -> Canvas:
    """Draw what each position sees, and that one pass trains every prefix."""
    c = Canvas(
        "causal_mask",
        "The causal mask: one pass trains every prefix",
        "A table of five positions. Row k is the position that attends, a column is an item that it"
        " may see. Position k sees items 1 to k; the upper right triangle, the future, is masked."
        " So the state h_k represents the prefix of the first k items and predicts item k + 1: one"
        " pass makes five predictions.",
        476,
    )
    left, top, cell = 92, 132, 62
    c.text(left + 2.5 * cell, 78, "items that may be seen", "muted", 15, "middle")
    c.text(490, 120, "state", "muted", 15, "middle")
    c.text(606, 120, "predicts", "muted", 15, "middle")
    for k in range(5):
        c.icon(NAMES[k], left + k * cell + 11, 84, 40)
        y = top + k * cell
        c.icon(NAMES[k], MARGIN + 8, y + 11, 40)
        for seen in range(5):
            x = left + seen * cell
            if seen <= k:
                c.box(x, y, cell - 6, cell - 6, "dark")
                c.add("circle", cx=x + 28, cy=y + 28, r=9, fill="#fffdf8")
            else:
                c.box(x, y, cell - 6, cell - 6, "masked")
        c.arrow((left + 5 * cell, y + 28), (454, y + 28))
        c.box(458, y + 6, 64, 44, "dark", f"$h_{k + 1}$", 18)
        c.arrow((524, y + 28), (572, y + 28), kind="target")
        c.item(NAMES[k + 1], 576, y, 56, "target")
    c.box(MARGIN + 64, 446, 18, 18, "dark")
    c.text(left + 26, 460, "seen", "muted", 15)
    c.box(left + 86, 446, 18, 18, "masked")
    c.text(left + 112, 460, "masked: the future", "muted", 15)
    return c


def m2se() -> Canvas:
    """Draw the whole encoder, from an item's text and images to the hidden states."""
    c = Canvas(
        "m2se",
        "M²SE: from texts and images to hidden states",
        "Two columns, text and image. BERT turns sentences, and the keywords that CLIP finds in"
        " images, into slots of shape (items, slots, D); both are computed once and frozen. Each"
        " modality has its own attention pooling, which gives e of shape (items, D), and its own"
        " MoE adaptor with eight experts, which gives z_t or z_v of shape (items, d). The items of"
        " a sequence are looked up: Z_t and Z_v of shape (batch, time, d). Mixup exchanges places"
        " in pre-training; ID embeddings are added in fine-tuning. One causal Transformer, shared"
        " by both modalities, adds position embeddings and gives h_t and h_v, each of shape"
        " (batch, time, d).",
        700,
    )
    columns = {"text": (50, "t"), "image": (384, "v")}
    wide = 210
    c.add("rect", x=16, y=62, width=648, height=148, rx=10, fill="#f1efe9")
    c.text(322, 84, "frozen: computed once", "muted", 15, "middle")
    for kind, (x, sub) in columns.items():
        middle = x + wide / 2
        first = "sentences" if kind == "text" else "images"
        c.box(x, 98, 100, 46, kind, first, 15)
        then = "BERT" if kind == "text" else "CLIP, BERT"
        c.box(x + 126, 98, 94, 46, "plain", then, 15)
        c.arrow((x + 101, 121), (x + 124, 121), kind=kind)
        c.line((x + 173, 145), (x + 173, 166), (middle, 166), kind=kind)
        c.arrow((middle, 166), (middle, 226), kind=kind)
        c.box(x, 228, wide, 46, kind, "attention pooling")
        c.arrow((middle, 275), (middle, 312), kind=kind)
        c.box(x, 314, wide, 46, kind, "MoE adaptor, 8 experts")
        c.arrow((middle, 361), (middle, 446), kind=kind)
        c.text(middle + 10, 200, "$x$  (items, slots, D)", kind, 15)
        c.text(middle + 10, 299, "$e$  (items, D)", kind, 15)
        c.text(middle + 10, 386, f"$z_{sub}$  (items, d)", kind, 15)
        c.text(middle + 10, 432, f"$Z_{sub}$  (batch, time, d)", kind, 15)
        c.arrow((middle, 517), (middle, 546), kind=kind)
        c.arrow((middle, 621), (middle, 650), kind=kind)
        c.box(middle - 32, 652, 64, 36, kind, f"$h_{sub}$", 18)
        c.text(middle + 42, 675, "(batch, time, d)", kind, 15)
    c.text(322, 409, "look up each sequence", "muted", 15, "middle")
    c.box(50, 448, 544, 68)
    c.text(186, 477, "complementary mixup\nin pre-training only", anchor="middle")
    c.box(326, 454, 260, 56, "id", "+ ID embeddings\nin fine-tuning only")
    c.box(
        50,
        548,
        544,
        72,
        "dark",
        "causal Transformer, shared by both modalities\nposition embeddings, 2 layers, 2 heads",
        16,
    )
    return c


DRAWINGS = (causal_mask, m2se)
