"""Turn all images of a dataset into keywords.

CLIP turns every new image into an embedding, which takes most of the time. The embedding is kept in
an `EmbeddingCache` and compared with the dictionary. After a change of the dictionary, the prompt
or the number of keywords, CLIP therefore need not read the images again.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msm4sr_lite.dataset.image_names import ImageError, find_image
from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.images import decode_image, read_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.store.fingerprint import file_stamp


def image_stamp(root: Path, name: str) -> tuple[int, int] | None:
    """Return size and modification time of an image file; None if there is no such file."""
    try:
        return file_stamp(root / name) or file_stamp(find_image(root, name))
    except ImageError:
        return None


def extract_keywords(
    image_root: Path,
    images: Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    n_keywords: int,
    cache: EmbeddingCache,
    *,
    batch_size: int = 64,
    workers: int = 2,
) -> Iterator[dict[str, Any]]:
    """Find the best keywords of each image, in the order given.

    The new images of a batch go through the model together, and their embeddings are stored at
    once. A resumed run therefore forms the same batches as an uninterrupted one, and its embeddings
    are the same to the last bit.

    Parameters
    ----------
    image_root
        The folder that image names are relative to.
    images
        Pairs of item id and image name.
    tokenizer
        The CLIP-like model with its dictionary.
    n_keywords
        N, number of keywords for one image.
    cache
        Embeddings (float32) that this model has already computed; new ones are added.
    batch_size
        Number of images in one forward pass.
    workers
        Threads that open and resize the next images while the model computes. Pillow and torch
        release Python's global lock while they work.

    Yields
    ------
    record
        ``item_id``, ``image``, ``keywords`` and ``scores``, best first. For an image that cannot
        be used: ``item_id``, ``image`` and ``reason``.
    """

    def opened(name: str) -> tuple[bytes, Mapping[str, Tensor] | None]:
        """Return the key of an image, and the model's input if the image is new."""
        content = read_image(image_root, name)
        if (key := content_key(content)) in cache:
            return key, None
        image = decode_image(content, name)
        try:
            return key, tokenizer.image_processor(images=[image], return_tensors="pt")
        except ValueError as error:
            raise ImageError(name, f"cannot be resized ({error}); replace it") from None

    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(images), batch_size)
        cut = (images[start : start + batch_size] for start in starts)
        batches = ([(*image, pool.submit(opened, image[1])) for image in part] for part in cut)
        # While a batch is used, the threads open the images of the next one.
        for batch, _ in pairwise(chain(batches, [[]])):
            usable: list[tuple[str, str, bytes]] = []
            new: dict[bytes, Mapping[str, Tensor]] = {}
            for item_id, name, job in batch:
                try:
                    key, inputs = job.result()
                except ImageError as error:
                    yield {"item_id": item_id, "image": name, "reason": str(error)}
                    continue
                usable.append((item_id, name, key))
                if inputs is not None and key not in cache:
                    new[key] = inputs
            if new:
                first = next(iter(new.values()))
                joined = {name: torch.cat([one[name] for one in new.values()]) for name in first}
                cache.add(list(new), tokenizer.encode(joined).cpu().numpy())
            if usable:
                embeddings = torch.from_numpy(cache.read([key for *_, key in usable]))
                best = tokenizer.choose(embeddings, n_keywords)
                for (item_id, name, _), keywords in zip(usable, best, strict=True):
                    yield {
                        "item_id": item_id,
                        "image": name,
                        "keywords": [keyword.word for keyword in keywords],
                        "scores": [round(keyword.score, 4) for keyword in keywords],
                    }
