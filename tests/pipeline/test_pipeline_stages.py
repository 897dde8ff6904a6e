"""Training stages that resume, or are loaded where they are finished."""

import pytest
from small_dataset import (
    SMALL,
    dataset,
    feature_table,
    fitted,
)

from msm4sr_lite import MSM4SR
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.pipeline.stages import prepare_training_data
from tests.toys import assert_same_weights


def test_a_stopped_fit_resumes_to_the_same_weights(tmp_path):
    settings = {"pretrain__epochs": 3, "finetune__epochs": 3}
    whole = fitted(settings=settings)
    steps = []

    def stop(record):
        steps.append(record)
        if len(steps) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(settings=settings, run_dir=tmp_path, callback=stop)
    again = fitted(settings=settings, run_dir=tmp_path)
    assert_same_weights(again._model.net, whole._model.net)


def test_what_is_finished_is_not_made_again(tmp_path):
    fitted(run_dir=tmp_path)
    records = []
    fitted(run_dir=tmp_path, callback=records.append)
    assert records == []
    fitted(run_dir=tmp_path, callback=records.append, settings={"finetune__lr": 0.01})
    assert {len(record.parts) for record in records if record.recall is None} == {1}


def test_the_stages_one_by_one_are_the_whole(tmp_path):
    stages = MSM4SR(seed=3, **SMALL)
    options = {"features": feature_table(), "run_dir": tmp_path}
    stages.pretrain(dataset(), **options)
    stages.finetune(dataset(), **options)
    assert_same_weights(stages._model.net, fitted()._model.net)


def test_items_without_features_are_named_and_those_without_content_left_out(capsys):
    with pytest.raises(UserError, match=r"items of toys without features: 2 .*'item28'"):
        prepare_training_data(dataset(), feature_table(28), DataConfig())
    table = feature_table()
    for slots in (table.text, table.image):
        slots.counts[table.items.index("item7")] = 0
    data = prepare_training_data(dataset(), table, DataConfig())
    assert set(data.sequences.items) == {"", *(f"item{i}" for i in range(30) if i != 7)}
    assert data.table.items == data.sequences.items
    assert "note: items without a usable text or image: 1, dropped" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{}, {"split": None}, {"time_budget": 60}, {"run_dir": True}])
def test_a_stage_of_no_epochs_is_skipped(options, tmp_path, capsys):
    if "run_dir" in options:
        options = {"run_dir": tmp_path / "run"}
    pretrained = MSM4SR(seed=3, **SMALL)
    pretrained.pretrain(dataset(), features=feature_table(), split=options.get("split", "as_set"))
    model = fitted(settings={"finetune__epochs": 0}, **options)
    # No ID embeddings, which would be random numbers: the model is the pre-trained one.
    assert_same_weights(model._model.net, pretrained._model.net)
    assert "finetuned: 40 users" in (said := capsys.readouterr().err)
    assert "skipped, since epochs=0" in said
    assert model.training_["finetuned"] == {}
    untrained = fitted(settings={"pretrain__epochs": 0}, **options)
    assert untrained.training_["pretrained"] == {}
    assert untrained.training_["finetuned"]["epochs"] == 1
