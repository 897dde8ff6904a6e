"""The drawing of notebooks 00 and 11: the whole method on one page."""

from __future__ import annotations

from course.sketches.canvas import Canvas

_HISTORY = ("candle", "cup", "cushion", "clock")


def method() -> Canvas:
    """Draw the method in four steps."""
    c = Canvas(
        "method",
        "From texts and images to a recommendation",
        "Four steps. 1, words: an item's text is cut into sentences; CLIP finds keywords in its"
        " image; BERT reads both. 2, item embeddings: attention pooling and a mixture of experts"
        " make z_t of the text and z_v of the image. 3, sequence: along a user's history the"
        " embeddings go through one Transformer, in pre-training with text and image exchanged at"
        " some positions (mixup); the last states are h_t and h_v. 4, score: cos(h_t, z_t) +"
        " cos(h_v, z_v) for every item; the highest score is recommended first.",
        706,
    )
    for step, (y, words) in enumerate(
        ((92, "words"), (236, "item\nembeddings"), (372, "sequence"), (560, "score")), 1
    ):
        c.add("circle", cx=42, cy=y - 6, r=15, class_="k-dark")
        c.text(42, y, f"**{step}**", "light", 17, "middle")
        c.text(27, y + 34, "\n".join(f"**{line}**" for line in words.split("\n")))
    for y in (204, 340, 528):
        c.line((27, y), (652, y), width=1, dash="2 4")
    c.item("cup", 142, 96, 84)
    c.arrow((228, 108), (256, 96), kind="text")
    c.arrow((228, 166), (256, 172), kind="image")
    c.box(258, 66, 214, 54, "text", "“Little one's mug”\nsentences", 15)
    c.box(258, 142, 92, 54, "plain", "CLIP", 16)
    c.arrow((352, 169), (376, 169), kind="image")
    c.box(378, 142, 174, 54, "image", "mug zigzag white\nkeywords", 15)
    c.arrow((474, 93), (576, 93), kind="text")
    c.arrow((554, 169), (576, 169), kind="image")
    c.box(578, 66, 74, 130, "plain", "BERT", 16)
    c.arrow((600, 197), (600, 226), kind="text")
    c.arrow((632, 197), (632, 226), kind="image")
    c.box(386, 228, 266, 94, "plain", "attention pooling,\nmixture of experts", 16)
    c.arrow((384, 252), (292, 252), kind="text")
    c.arrow((384, 300), (292, 300), kind="image")
    c.box(216, 230, 72, 42, "text", "$z_t$", 18)
    c.box(216, 280, 72, 42, "image", "$z_v$", 18)
    c.arrow((252, 323), (252, 363))
    for place, name in enumerate(_HISTORY):
        x, swapped = 142 + place * 76, place == 2
        c.icon(name, x + 14, 366, 40)
        top, bottom = ("image", "text") if swapped else ("text", "image")
        for kind, y in ((top, 412), (bottom, 458)):
            c.box(x, y, 68, 40, kind, f"$z_{'t' if kind == 'text' else 'v'}$", 17)
    c.text(328, 518, "mixup (pre-training)", "muted", 15, "middle")
    c.arrow((444, 432), (470, 432), kind="text")
    c.arrow((444, 478), (470, 478), kind="image")
    c.box(472, 408, 104, 94, "dark", "Trans-\nformer", 16)
    c.arrow((578, 432), (596, 432), kind="text")
    c.arrow((578, 478), (596, 478), kind="image")
    c.box(598, 410, 54, 42, "text", "$h_t$", 18)
    c.box(598, 458, 54, 42, "image", "$h_v$", 18)
    c.text(142, 560, "cos$(h_t, z_t)$", "text", 16)
    c.text(229, 560, "+")
    c.text(246, 560, "cos$(h_v, z_v)$", "image", 16)
    c.text(340, 560, "for every item of the catalogue", "muted", 15)
    c.arrow((625, 501), (625, 566))
    rows = (("lamp", 0.74, 0.66), ("basket", 0.52, 0.47), ("tent", 0.31, 0.12))
    for place, (name, text, image) in enumerate(rows):
        y = 574 + place * 42
        if place == 0:
            c.box(134, y - 4, 518, 46, "target")
            c.text(640, y + 26, "first", "target", 16, "end")
        c.icon(name, 142, y, 38)
        c.bar(192, y + 8, 180 * text, 24, "text")
        c.bar(192 + 180 * text, y + 8, 180 * image, 24, "image")
        c.text(200 + 180 * (text + image), y + 26, f"{text + image:.2f}")
    return c


DRAWINGS = (method,)
