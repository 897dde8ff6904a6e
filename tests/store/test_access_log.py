"""Every access to the test part is logged once."""

from msm4sr_lite.store.access_log import log_access, read_access_log


def test_an_access_is_logged_once(tmp_path):
    assert read_access_log(tmp_path) == []
    for model in ("a", "b", "a"):
        log_access(tmp_path, {"model": model})
    log = read_access_log(tmp_path)
    assert [one["model"] for one in log] == ["a", "b"]
    assert all(one["when"].endswith("+00:00") for one in log)
