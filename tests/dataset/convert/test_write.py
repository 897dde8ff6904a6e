"""A dataset folder is written completely or not at all, and replaces no other folder."""

from published_files import amazon_2018, review


def test_only_a_folder_that_a_conversion_wrote_is_replaced(tmp_path, converted, refused):
    source = amazon_2018(tmp_path)
    converted(source)
    converted(amazon_2018(tmp_path, [review()]))  # again, over its own result
    (tmp_path / "dataset" / "notes.txt").write_text("notes")
    assert "holds 'notes.txt', which no conversion wrote" in refused(source)
    converted(source, force=True)
    assert not (tmp_path / "dataset" / "notes.txt").exists()
    (tmp_path / "dataset" / "converted.json").unlink()
    assert "which no conversion wrote" in refused(source)
    assert "must not be replaced" in refused(source, force=True, out="source")
    assert "must not be replaced" in refused(source, force=True, out="")
    assert "is a file" in refused(source, out="source/Mugs_5.json.gz")


def test_a_conversion_that_fails_leaves_the_old_dataset(tmp_path, converted, refused):
    converted(amazon_2018(tmp_path))
    before = (tmp_path / "dataset/interactions.csv").read_text()
    refused(amazon_2018(tmp_path, ["{"]))
    assert (tmp_path / "dataset/interactions.csv").read_text() == before


def test_a_place_that_cannot_be_written(tmp_path, refused):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(amazon_2018(tmp_path), out="file/dataset")
