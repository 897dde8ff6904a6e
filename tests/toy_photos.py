"""A folder like that of the Grocery Store Dataset, with tiny photographs."""

from pathlib import Path

from PIL import Image

from data_samples.make import photos


def make_source(folder: Path, rows: list[str]) -> Path:
    """Write a folder like the source, with one-pixel photographs."""
    source = folder / photos.SOURCE
    (source / "images").mkdir(parents=True)
    (source / "LICENSE").write_text("MIT License\n", "utf-8")
    table = "\n".join(["image,split,product,kind,group", *rows]) + "\n"
    (source / "labels.csv").write_text(table, "utf-8")
    for row in rows:
        Image.new("RGB", (1, 1)).save(source / row.split(",")[0])
    return source
