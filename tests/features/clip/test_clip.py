"""Commands that need transformers under ``python -OO``, which removes all docstrings."""

import subprocess
import sys

import pytest


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["train-clip", "keywords"])
def test_python_without_docstrings_is_refused_in_one_line(command, sample_dataset, tmp_path):
    main = "import sys; from msm4sr_lite.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [command, str(sample_dataset), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-OO", "-c", main, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"msm4sr {command}: transformers needs docstrings; start Python")
    assert done.stderr.count("\n") == 1
