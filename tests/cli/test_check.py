"""``msm4sr check``: one screen about a dataset."""

from toys import toy_dataset


def test_the_summary_as_text_and_as_json(tmp_path, msm4sr, json_of):
    data = toy_dataset(tmp_path / "toys")
    code, out, err = msm4sr("check", data)
    assert (code, err) == (0, "")
    assert out.startswith(
        "toys\n  users         8, with 6 interactions (median)\n  items         12;"
    )
    found = json_of("check", data)
    assert (found["users"], found["items"], found["interactions"]) == (8, 12, 48)


def test_unlisted_items_are_refused_or_dropped_with_a_note(tmp_path, refused, msm4sr):
    data = toy_dataset(tmp_path / "toys")
    with (data / "interactions.csv").open("a") as file:
        file.write("u1,ghost,9\n")
    assert "item 'ghost' is not in" in refused("check", data)
    code, out, err = msm4sr("check", data, "--drop-unknown")
    assert (code, err) == (0, "")
    assert "note: 1 interactions with items not in" in out


def test_a_folder_that_is_none_and_an_unknown_domain_are_refused(tmp_path, refused):
    assert "nowhere: no such folder" in refused("check", tmp_path / "nowhere")
    assert "domain" in refused("check", toy_dataset(tmp_path / "toys"), "--domain", "z")


def test_control_characters_do_not_reach_the_terminal(tmp_path, msm4sr):
    data = toy_dataset(tmp_path / "to\x1b[31mys")
    assert "\x1b" not in msm4sr("check", data)[1]
