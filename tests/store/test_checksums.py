"""Checksums show every change of a folder, and are those of ``sha256sum``."""

import os
import shutil
import subprocess

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.checksums import verify_folder, write_checksums


@pytest.fixture
def folder(tmp_path):
    """Return a folder with checksums; one of its subfolders has its own."""
    for name in ("a.txt", "sub/b.txt", "inner/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    write_checksums(tmp_path / "inner")
    write_checksums(tmp_path)
    return tmp_path


def verify(folder):
    verify_folder(folder, ("a.txt",), "copy it again")


def test_an_unchanged_folder_passes_with_further_files_too(folder):
    verify(folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "inner" / "c.txt").write_text("the concern of its own checksums")
    verify(folder)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs the program sha256sum")
def test_sha256sum_agrees(folder):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True)


@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt"])
def test_any_change_is_noticed(name, folder):
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: has changed .*; restore the file, or copy it"):
        verify(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file; copy it again"):
        verify(folder)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense\n", "0" * 64 + "  sub/b.txt\n", "0" * 64 + "  ../x\n", "0" * 64 + "  /x\n"],
)
def test_damaged_checksums_are_refused(text, folder):
    (folder / "SHA256SUMS").write_text(text)
    with pytest.raises(UserError, match=r"SHA256SUMS: cannot be read .*; copy it again"):
        verify(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, which Windows lacks")
@pytest.mark.parametrize("name", ["a.txt", "SHA256SUMS"])
def test_a_pipe_is_not_read(name, folder):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match=f"{name}: .*not a file"):
        verify(folder)
