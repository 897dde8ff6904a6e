"""Labelled images for tests: discs of two sizes in four colours."""

import random

from PIL import Image, ImageDraw

COLOURS = ("red", "blue", "green", "yellow")
RADIUS = {"dot": 7, "disc": 13}
SHAPES = tuple(RADIUS)


def paint(colour, shape, rng):
    image = Image.new("RGB", (30, 30), "white")
    pen = ImageDraw.Draw(image)
    x, y, radius = rng.randint(13, 17), rng.randint(13, 17), RADIUS[shape]
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def labelled_folder(folder, count=200, shuffled=False):
    rng = random.Random(0)
    (folder / "images").mkdir(parents=True)
    looks = [(rng.choice(COLOURS), rng.choice(SHAPES)) for _ in range(count)]
    for k, look in enumerate(looks):
        paint(*look, rng).save(folder / f"images/p{k}.png")
    if shuffled:
        rng.shuffle(looks)
    rows = [
        f"images/p{k}.png,{colour},{shape},Number {k}" for k, (colour, shape) in enumerate(looks)
    ]
    (folder / "labels.csv").write_text(
        "\n".join(["image,colour,shape,title", *rows]) + "\n", "utf-8"
    )
    return folder
