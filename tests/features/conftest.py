"""A small dataset with images, and a CLIP of one small layer."""

import json

import numpy as np
import pytest
from PIL import Image

N_ITEMS = 40


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory, mini_clip):
    """A CLIP with random weights and the bundled one's tokenizer."""
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=small | {"vocab_size": 1150, "bos_token_id": 1148, "eos_token_id": 1149},
        vision_config=small | {"image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(mini_clip).save_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(mini_clip, backend="pil")
    images.size, images.crop_size = {"shortest_edge": 16}, {"height": 16, "width": 16}
    images.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def folder(tmp_path):
    """A dataset folder: of its 40 images two are equal, one is damaged, one is missing."""
    folder = tmp_path / "dataset"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    records = []
    for number in range(N_ITEMS):
        pixels = rng.integers(0, 255, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        text = {"title": f"thing {number}", "description": f"It is a {'big ' * (number % 5)}mug."}
        records.append({"item_id": f"i{number}", "image": f"images/{number}.png", **text})
    (folder / "images/3.png").write_bytes((folder / "images/2.png").read_bytes())
    (folder / "images/4.png").write_bytes(b"no image")
    (folder / "images/5.png").unlink()
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")
    lines = "".join(f"u,i{number},{number}\n" for number in range(N_ITEMS))
    (folder / "interactions.csv").write_text("user_id,item_id,timestamp\n" + lines)
    return folder
