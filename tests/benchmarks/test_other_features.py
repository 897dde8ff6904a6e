"""Other features for ablations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.studies import other_features
from benchmarks.studies.other_features import (
    FewerKeywords,
    RawClip,
    TfidfBesideBert,
    TfidfTexts,
)
from msm4sr_lite.baselines.simple import tfidf_vectors
from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.study.specs import StudyData
from tests.tiny_models import text_model
from tests.toys import toy_sequences


def test_fewer_keywords_are_encoded_anew(tmp_path, data, monkeypatch):
    from msm4sr_lite.features.text_encoder import TextEncoder

    text_model("bert", tmp_path / "bert")
    encoder = TextEncoder(str(tmp_path / "bert"), "mean")
    made = encoder.describe() | {"name": encoder.name}
    table = FeatureTable(
        data.table.items, data.table.text, data.table.image, {"content": "x", "text_encoder": made}
    )
    words = {item: [["red", "blue", "oak"]] for item in table.items[1:5]}
    monkeypatch.setattr(other_features, "read_keywords", lambda folder: words)
    study_data = replace(data, table=table)
    found = FewerKeywords(2, tmp_path)(study_data)
    assert found.image.counts.tolist() == [0, 1, 1, 1, 1, *[0] * 15]
    expected = encoder.encode(["red blue"])[0]
    assert found.image.vectors[0].tolist() == expected.tolist()
    assert found.manifest["content"] != "x"
    assert torch.equal(found.text.vectors, table.text.vectors)
    with pytest.raises(UserError, match="have 3 keywords, not 4"):
        FewerKeywords(4, tmp_path)(study_data)


def test_raw_clip_embeddings_stand_in_the_image_slots(sample_dataset, mini_clip):
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.features.images import open_image
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    dataset = Dataset.from_folder(sample_dataset, domain="home")
    chosen = list(dataset.items)[:12]
    items = ["", *chosen]
    table = load_feature_table(sample_dataset / "features").for_items(items)
    sequences = toy_sequences([6, 7], n_items=12)
    study_data = StudyData(sequences, table, dataset)
    found = RawClip(str(mini_clip))(study_data)
    counts = [len(dataset.items[item].images) for item in chosen]
    assert found.image.counts.tolist() == [0, *counts]
    assert 0 in counts
    place = next(i for i, count in enumerate(counts) if count)
    image = open_image(dataset.image_root, dataset.items[chosen[place]].images[0])
    vector = KeywordTokenizer(str(mini_clip), ["image"]).image_embeddings([image])[0]
    own = found.image.vectors[0].float()
    assert own[: len(vector)].tolist() == pytest.approx(vector.tolist(), abs=2e-3)
    assert not own[len(vector) :].any()
    wide = table.width
    assert torch.equal(found.text.vectors[:, :wide], table.text.vectors)
    assert found.width == max(wide, len(vector))


def test_tfidf_replaces_bert_with_the_same_mean_length(data):
    found, plain = TfidfTexts()(data), tfidf_vectors(data.baseline_data.texts)[1:]
    described = np.diff(plain.indptr) > 0
    assert found.text.counts.tolist() == [0, *described]
    assert torch.equal(found.image.vectors, data.table.image.vectors)
    assert found.manifest["content"] != data.table.manifest["content"]
    # As long as BERT's on average at most, and as alike as the words say.
    vectors = found.text.vectors.float()
    length = data.table.text.vectors.float().norm(dim=1).mean()
    kept = (vectors / length) @ (vectors / length).T
    alike = (plain @ plain.T).toarray()[np.ix_(described, described)]
    assert kept.numpy() == pytest.approx(alike, abs=0.02)


def test_tfidf_beside_bert_is_one_slot_more(data):
    found, words = TfidfBesideBert()(data).text, TfidfTexts()(data).text
    texts = data.table.text
    assert found.counts.tolist() == (texts.counts + words.counts).tolist()
    for item in range(len(data.table.items)):
        slots = [
            one.vectors[one.starts[item] :][: one.counts[item]] for one in (texts, words, found)
        ]
        assert torch.equal(slots[2], torch.cat(slots[:2]))
