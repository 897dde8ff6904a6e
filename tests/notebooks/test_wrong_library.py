"""A wrong line in the library turns the notebook red that teaches it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages import AS_STORED, NBVAL, ROOT

WRONG = [
    ("01", "evaluation.py", "hit / np.log2(ranks + 1)", "hit / np.log2(ranks + 2)"),
    (
        "02",
        "features/keyword_tokenizer.py",
        "for i in best.tolist()",
        "for i in best.tolist()[::-1]",
    ),
    ("03", "encoder.py", "alpha = energy.softmax(dim=-1)", "alpha = (2 * energy).softmax(dim=-1)"),
    ("04", "mixup.py", "torch.where(b, text, image)", "torch.where(b, image, image)"),
    ("05", "encoder.py", "dropout_p=dropout, is_causal=True", "dropout_p=dropout"),
    ("06", "losses.py", "logits.logsumexp(dim=(0, 2))", "logits.logsumexp(dim=(0, 1))"),
    ("07", "intervals.py", "[0.025, 0.975]", "[0.05, 0.95]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "module", "right", "wrong"), WRONG, ids=lambda part: part[:4])
def test_the_notebook_is_red(
    number: str, module: str, right: str, wrong: str, tmp_path: Path
) -> None:
    library = tmp_path / "msm4sr_lite"
    shutil.copytree(ROOT / "msm4sr_lite", library)
    code = (library / module).read_text("utf-8")
    assert code.count(right) == 1
    (library / module).write_text(code.replace(right, wrong), "utf-8")
    (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    paths = os.pathsep.join([str(tmp_path), str(ROOT / "notebooks")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbval", *NBVAL, f"notebooks/{notebook.name}"],
        cwd=ROOT,
        env={**os.environ, **AS_STORED, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout[-2000:]
