"""``msm4sr doctor``: what is installed and what is missing."""

import json

from msm4sr_lite.cli import doctor


def test_it_lists_versions_and_problems(msm4sr):
    found = json.loads(msm4sr("doctor", "--json")[1])
    assert found["torch"].startswith("2.")
    assert isinstance(found["problems"], list)
    out = msm4sr("doctor")[1]
    assert f"torch  {found['torch']}\n" in out
    assert out.splitlines()[-1] in ("ready", "not ready yet")


def test_a_missing_package_is_a_problem_with_its_remedy(msm4sr, monkeypatch):
    monkeypatch.setattr(doctor, "COURSE", ("no-such-package",))
    code, out, _ = msm4sr("doctor")
    assert code == 1
    assert "problem  no-such-package is missing: run `python run.py setup`" in out
    assert out.endswith("not ready yet\n")
