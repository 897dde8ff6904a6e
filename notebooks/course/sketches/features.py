"""Drawings of notebooks 02 and 03: keywords, attention pooling, experts and whitening."""

from __future__ import annotations

import math

from course.sketches.canvas import MARGIN, Canvas


def softmax(values: tuple[float, ...]) -> list[float]:
    """Return the shares of a softmax."""
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def keyword_tokenization() -> Canvas:
    """Draw how an image becomes a sentence of keywords."""
    c = Canvas(
        "keyword_tokenization",
        "Keyword tokenization: an image becomes a sentence",
        "CLIP's image encoder turns the image of a mug into an embedding v. CLIP's text encoder"
        " turns every word of a dictionary, in a prompt such as “a photo of a mug”, into an"
        " embedding w_i. The cosines of v and w_i are sorted: mug 0.31, zigzag 0.27, white 0.24,"
        " round 0.19, chair 0.08, striped 0.05. The best N = 4 words make the sentence “mug zigzag"
        " white round”, which BERT turns into one slot of the item.",
        478,
    )
    c.box(MARGIN, 72, 92, 92)
    c.icon("cup", MARGIN + 10, 82, 72)
    c.box(160, 86, 150, 64, "image", "CLIP\nimage encoder", 16)
    c.arrow((122, 118), (158, 118))
    c.text(334, 124, "$v$", "image", 20)
    c.arrow((312, 118), (330, 118))
    words = {"mug": 0.31, "zigzag": 0.27, "white": 0.24, "round": 0.19, "chair": 0.08}
    words["striped"] = 0.05
    c.box(MARGIN, 200, 92, 122)
    for place, word in enumerate(("chair", "mug", "round", "striped", "…")):
        c.text(MARGIN + 46, 222 + place * 22, word, anchor="middle", size=15)
    c.text(MARGIN + 46, 344, "dictionary", "muted", 15, "middle")
    c.box(160, 226, 150, 64, "text", "CLIP\ntext encoder", 16)
    c.arrow((122, 258), (158, 258))
    c.text(235, 314, "“a photo of a mug”", "muted", 15, "middle")
    c.text(334, 264, "$w_i$", "text", 20)
    c.arrow((312, 258), (330, 258))
    c.text(404, 84, "**cosine**  $s_i = v·w_i$")
    for place, (word, cosine) in enumerate(words.items()):
        y, kept = 98 + place * 36 + (14 if place >= 4 else 0), place < 4
        c.text(468, y + 20, word, "ink" if kept else "muted", 16, "end")
        c.bar(478, y + 5, 400 * cosine, 20, "image" if kept else "masked")
        if kept:
            c.line(*((478 + 400 * cosine * a, y + 5 + 20 * b) for a, b in _CORNERS), kind="image")
        c.text(484 + 400 * cosine, y + 20, f"{cosine:.2f}", "muted", 15)
    c.arrow((352, 124), (376, 186), (400, 186))
    c.line((358, 258), (376, 186))
    c.line((404, 247), (652, 247), dash="6 4", width=1.5)
    c.text(652, 242, "N = 4", "muted", 15, "end")
    c.arrow((530, 340), (530, 380), kind="image")
    c.box(404, 384, 248, 52, "image", "mug zigzag white round", 17)
    c.text(528, 458, "the image as a sentence", "muted", 15, "middle")
    c.arrow((402, 410), (358, 410), kind="image")
    c.box(266, 384, 88, 52, "plain", "BERT", 17)
    c.arrow((264, 410), (220, 410), kind="image")
    c.vector(MARGIN + 92, 400, (0.4, 0.9, 0.2, 0.7, 0.5, 0.8), "image")
    c.text(MARGIN + 137, 458, "one slot of the item", "muted", 15, "middle")
    return c


_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))


def attention_pooling() -> Canvas:
    """Draw attention pooling over the sentences of an item, with a padded slot."""
    energies = (0.4, -1.3, 1.9, 1.2)
    shares = softmax(energies)
    words = ("Restful clock in oak", "clock", "made for winding down", "brings calm")
    told = ", ".join(f"{w} {s:.2f}" for w, s in zip(words, shares, strict=True))
    c = Canvas(
        "attention_pooling",
        "Attention pooling: a weighted mean of an item's slots",
        "Five slots of a clock: four sentences and one padded slot. Each slot x_s gets an energy"
        f" from two linear maps; the softmax gives the weights {told}. The padded slot has energy"
        " minus infinity and weight 0. The item's embedding is e, the sum of alpha_s x_s.",
        424,
    )
    for head, x in (("slot", MARGIN), ("$x_s$", 246), ("$ϵ_s$", 366), ("$α_s$", 440)):
        c.text(x, 86, f"**{head}**" if "$" not in head else head, size=17)
    values = (
        (0.6, 0.3, 0.8, 0.4),
        (0.3, 0.7, 0.2, 0.5),
        (0.9, 0.6, 0.3, 0.8),
        (0.8, 0.7, 0.4, 0.6),
    )
    for place in range(5):
        y = 100 + place * 50
        if place == 4:
            c.box(MARGIN, y, 200, 40, "masked", "padding")
            c.vector(246, y + 8, (0, 0, 0, 0), "masked", 18)
            c.text(366, y + 26, "−∞", "muted")
            c.text(450, y + 26, "0", "muted")
            continue
        c.box(MARGIN, y, 200, 40, "text", words[place], 15)
        c.vector(246, y + 8, values[place], "text", 18)
        c.text(366, y + 26, f"{energies[place]:.1f}".replace("-", "−"))
        c.bar(440, y + 9, 120 * shares[place], 22, "text")
        c.text(446 + 120 * shares[place], y + 26, f"{shares[place]:.2f}")
        c.line((572, y + 20), (598, y + 20), width=1 + 7 * shares[place], kind="text")
        c.line((598, y + 20), (612, 196), width=1 + 7 * shares[place], kind="text")
    mixed = [sum(a * v[k] for a, v in zip(shares, values, strict=True)) for k in range(4)]
    c.arrow((610, 196), (634, 196), kind="text", width=3)
    c.text(640, 202, "$e$", "text", 22)
    c.text(
        MARGIN,
        376,
        "$ϵ_s = w_2·(W_1 x_s + b_1) + b_2$,   $α$ = softmax over the real slots",
        size=16,
    )
    c.text(MARGIN, 404, "$e = Σ_s α_s x_s$  =", size=16)
    c.vector(178, 388, mixed, "text", 18)
    c.text(264, 404, "Without the mask, padding shrinks $e$.", "muted", 15)
    return c


def moe_adaptor() -> Canvas:
    """Draw the mixture-of-experts adaptor with its gate."""
    gate = softmax((0.2, 1.6, -0.6, 0.9, -1.0, 0.1, 1.1, -0.3))
    c = Canvas(
        "moe_adaptor",
        "MoE adaptor: a gate weights eight experts",
        "The pooled embedding e of width D goes to eight experts, each a linear map with layer"
        " normalization, and to a gate, a linear map with softmax. The gate's weights, here "
        + ", ".join(f"{g:.2f}" for g in gate)
        + ", sum to 1. The weighted sum of the experts' outputs is z, of width d.",
        428,
    )
    c.vector(MARGIN, 204, (0.6, 0.3, 0.8, 0.4, 0.9, 0.2, 0.7, 0.5), "text", 11)
    c.text(72, 194, "$e$", "text", 20, "middle")
    c.text(72, 246, "(items, D)", "muted", 15, "middle")
    c.text(164, 96, "**gate**  $g(e)$ = softmax$(e W_g)$", size=16)
    c.text(164, 372, "**experts**  LayerNorm$(W_k e + b_k)$", size=16)
    c.arrow((124, 206), (142, 206), (142, 140), (162, 140))
    c.arrow((124, 220), (142, 220), (142, 322), (162, 322))
    step, left = 46, 170
    for place, share in enumerate(gate):
        x = left + place * step
        c.bar(x + 5, 186 - 200 * share, 26, 200 * share, "plain")
        c.text(x + 18, 204, f"{share:.2f}".removeprefix("0"), "muted", 15, "middle")
        c.line((x + 18, 212), (x + 18, 240), width=1.4)
        c.text(x + 18, 256, "×", "muted", 18, "middle")
        c.line((x + 18, 262), (x + 18, 290), width=1.4)
        c.box(x, 292, 36, 56, "plain", str(place + 1))
    c.line((left - 2, 186), (left + 8 * step - 8, 186), width=1.4)
    c.arrow((544, 322), (566, 322), (566, 238))
    c.arrow((544, 150), (566, 150), (566, 206))
    c.add("circle", cx=566, cy=222, r=15, class_="k-plain")
    c.text(566, 228, "Σ", size=17, anchor="middle")
    c.arrow((583, 222), (598, 222), kind="text")
    c.vector(601, 211, (0.5, 0.8, 0.3, 0.7), "text", 13)
    c.text(627, 201, "$z_t$", "text", 20, "middle")
    c.text(620, 254, "(items, d)", "muted", 15, "middle")
    c.text(
        MARGIN,
        408,
        "$z = Σ_k g_k(e)$ LayerNorm$(W_k e + b_k)$; images have an adaptor of their own.",
        size=16,
    )
    return c


_CLOUD = (
    *((0.42, -0.31), (-0.55, 0.12), (0.11, 0.61), (-0.23, -0.52), (0.71, 0.22), (-0.35, 0.48)),
    *((0.05, -0.75), (-0.68, -0.28), (0.36, 0.33), (0.16, -0.41)),
)


def mean_cosine(points: list[tuple[float, float]]) -> float:
    """Return the mean cosine of all pairs of different points."""
    unit = [(x / math.hypot(x, y), y / math.hypot(x, y)) for x, y in points]
    pairs = [a[0] * b[0] + a[1] * b[1] for i, a in enumerate(unit) for b in unit[:i]]
    return sum(pairs) / len(pairs)


def _white(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Return the points with mean 0, variance 1 along both axes, and no correlation."""

    def scaled(values: list[float]) -> list[float]:
        mean = sum(values) / len(values)
        size = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        return [(v - mean) / size for v in values]

    x, y = scaled([p[0] for p in points]), scaled([p[1] for p in points])
    correlation = sum(a * b for a, b in zip(x, y, strict=True)) / len(x)
    y = scaled([b - correlation * a for a, b in zip(x, y, strict=True)])
    return list(zip(x, y, strict=True))


def _rays(
    c: Canvas,
    points: list[tuple[float, float]],
    origin: tuple[float, float],
    unit: float,
    reach: tuple[float, float],
) -> None:
    """Draw axes with this reach (negative, positive), and points as rays from the origin."""
    (ox, oy), (back, forth) = origin, reach
    c.line((ox - back, oy), (ox + forth, oy), width=1)
    c.line((ox, oy + back), (ox, oy - forth), width=1)
    for x, y in points:
        c.line((ox, oy), (ox + unit * x, oy - unit * y), kind="text", width=1.2)
        c.add("circle", cx=ox + unit * x, cy=oy - unit * y, r=5, class_="k-text")


def whitening() -> Canvas:
    """Draw a narrow cone of embeddings, and the ball that whitening makes of it."""
    ball = _white(_CLOUD)
    cone = [(1.5 + 0.3 * x + 0.1 * y, 1.15 + 0.1 * x + 0.35 * y) for x, y in ball]
    before, after = mean_cosine(cone), mean_cosine(ball)
    c = Canvas(
        "whitening",
        "Anisotropy and whitening: a narrow cone, then a ball",
        "Left: ten embeddings point into almost the same direction, a narrow cone; their mean"
        f" cosine is {before:.2f}. Right: the same ten after whitening, which subtracts the mean"
        " and scales all directions to variance 1, point in all directions; their mean cosine is"
        f" {after:.2f}.",
        396,
    )
    _rays(c, cone, (90, 300), 88, (24, 200))
    _rays(c, ball, (510, 214), 56, (120, 118))
    for x, words, value in ((160, "before: anisotropic", before), (510, "after whitening", after)):
        c.text(x, 84, f"**{words}**", anchor="middle")
        value_shown = f"{value:.2f}".replace("-", "−")
        c.text(x, 356, f"mean cosine {value_shown}", anchor="middle", size=18)
    c.arrow((312, 214), (376, 214), width=3)
    c.text(344, 246, "subtract the\nmean; scale\nto variance 1", "muted", 15, "middle")
    c.text(
        340,
        382,
        "Before, every cosine is close to 1; after, their mean is close to 0.",
        "muted",
        15,
        "middle",
    )
    return c


DRAWINGS = (keyword_tokenization, attention_pooling, moe_adaptor, whitening)
