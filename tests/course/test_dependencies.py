"""Which files stored outputs were made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from course import dependencies
from course.session import ROOT


def test_comments_do_not_count_as_change(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text, encoding="utf-8")
        return dependencies.make_digest(path)

    plain = digest('def f():\n    """One."""\n    return "#1"\n')
    assert (
        digest('"""M."""\n\ndef f():\n    """Two.\n\n    More."""\n    # why\n    return "#1"\n')
        == plain
    )
    assert digest('def f():\n    """One."""\n    return "#2"\n') != plain


def test_library_generator_and_data_files_are_listed(tmp_path: Path) -> None:
    code = (
        f"{dependencies.BEFORE}\nimport os; os.chdir({str(tmp_path)!r})\n"
        f"import data_samples.make.phrases, msm4sr_lite.config\n"
        f"open({str(ROOT / 'data_samples/mini_clip/config.json')!r}).close()\n"
        f"open(os.__file__).close()\n{dependencies.AFTER}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "notebooks")},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = json.loads(done.stdout.splitlines()[0])
    names = {
        "data_samples/mini_clip/config.json",
        "data_samples/mini_clip/model.safetensors",  # read by compiled code
        "data_samples/make/phrases.py",
        "msm4sr_lite/config.py",
    }
    assert names <= set(listed)
    assert all(name.startswith(("data_samples/", "msm4sr_lite/")) for name in listed)
    assert "data_samples/mini_clip/README.md" not in listed
    assert dependencies.find_changes(listed) == []
    listed |= {"data_samples/gone.csv": "x", "msm4sr_lite/config.py": "another"}
    assert dependencies.find_changes(listed) == ["msm4sr_lite/config.py", "data_samples/gone.csv"]
