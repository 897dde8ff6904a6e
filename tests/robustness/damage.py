"""Seeded damage to files: to bytes of any kind, and to files as such.

A damage takes the content of a file and a random generator, and returns the damaged content.
``damage_file`` chooses damages that fit the kind of a file. Equal generators give equal damage.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.robustness.damage_arrays import ARRAYS
from tests.robustness.damage_json import JSON, JSON_LINES
from tests.robustness.damage_tables import TABLES, UNTYPED_LINES

Damage = Callable[[bytes, Random], bytes]


# ------------------------------------------------------------------------------ bytes


def flip_bits(data: bytes, rng: Random) -> bytes:
    """Change single bits, as a bad disk does."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: Random) -> bytes:
    """Keep the beginning, as a broken download does."""
    return data[: rng.choice([0, 1, len(data) // 2, max(0, len(data) - 1), rng.randrange(99)])]


def cut_the_beginning(data: bytes, rng: Random) -> bytes:
    """Lose the first bytes."""
    return data[rng.choice([1, 2, len(data) // 3]) :]


def repeat_a_piece(data: bytes, rng: Random) -> bytes:
    """Write a piece twice."""
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice([1, 30, 400]))
    return data[:end] + data[start:end] + data[end:]


def insert_bytes(data: bytes, rng: Random) -> bytes:
    """Put random bytes into the middle."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice([1, 2, 16])) + data[at:]


def zero_a_page(data: bytes, rng: Random) -> bytes:
    """Replace a part by zero bytes, as file systems do after a loss of power."""
    at, size = rng.randrange(len(data) + 1), rng.choice([8, 512, 4096])
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


def only_zeros(data: bytes, rng: Random) -> bytes:
    """Keep the length alone."""
    return bytes(len(data))


def append_rubbish(data: bytes, rng: Random) -> bytes:
    """Add bytes after the end."""
    return data + rng.choice([b"\0", b"\x1a", rng.randbytes(20)])


BYTES: list[Damage] = [flip_bits, cut, cut_the_beginning, repeat_a_piece, insert_bytes]
BYTES += [zero_a_page, only_zeros, append_rubbish]


# ------------------------------------------------------------------------------ encodings of text


def pack(data: bytes, rng: Random) -> bytes:
    """Compress with gzip; the name does not tell."""
    return gzip.compress(data, mtime=0)


def pack_twice(data: bytes, rng: Random) -> bytes:
    """Compress what is compressed."""
    return gzip.compress(gzip.compress(data, mtime=0), mtime=0)


def unpack(data: bytes, rng: Random) -> bytes:
    """Undo the compression; the name stays."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data


def inside_gzip(damage: Damage) -> Damage:
    """Return the damage of a text that may be compressed; it stays compressed."""

    def damage_text(data: bytes, rng: Random) -> bytes:
        plain = unpack(data, rng)
        packed = plain is not data
        found = damage(plain, rng)
        return gzip.compress(found, mtime=0) if packed else found

    damage_text.__name__, damage_text.__doc__ = damage.__name__, damage.__doc__
    return damage_text


def utf_16(data: bytes, rng: Random) -> bytes:
    """Save as "Unicode", with a byte-order mark."""
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(["utf-16", "utf-16-be", "utf-16-le"]))


def latin_1(data: bytes, rng: Random) -> bytes:
    """Save in an old encoding, with a letter that differs."""
    text = data.decode("utf-8", "replace").replace("e", "é", 2)
    return text.encode("latin-1", "replace")


def byte_order_mark(data: bytes, rng: Random) -> bytes:
    """Start with the mark of UTF-8."""
    return b"\xef\xbb\xbf" * rng.choice([1, 1, 2]) + data


def windows_lines(data: bytes, rng: Random) -> bytes:
    """End lines as Windows or old Macs do."""
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r"]))


def nul_bytes(data: bytes, rng: Random) -> bytes:
    """Put zero bytes into the text."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + b"\0" * rng.choice([1, 100]) + data[at:]


TEXTS: list[Damage] = [pack, pack_twice, unpack, cut]
TEXTS += map(inside_gzip, [utf_16, latin_1, byte_order_mark, windows_lines, nul_bytes])


# ------------------------------------------------------------------------------ files


def remove(path: Path) -> None:
    """Delete the file."""
    path.unlink()


def empty(path: Path) -> None:
    """Keep the name alone."""
    path.unlink()
    path.touch()


def folder_instead(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    """Put a named pipe in its place, from which reading never ends."""
    path.unlink()
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    """Put a symbolic link to a missing file in its place."""
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def link_to_itself(path: Path) -> None:
    """Put a symbolic link to itself in its place."""
    path.unlink()
    path.symlink_to(path.name)


def link_to_a_device(path: Path) -> None:
    """Put a link to a device without end in its place."""
    path.unlink()
    path.symlink_to("/dev/zero")


def link_elsewhere(path: Path) -> None:
    """Move the file out of its folder and leave a symbolic link to it."""
    target = path.parent.parent / f"elsewhere{path.suffix}"
    path.rename(target)
    path.symlink_to(target)


def unreadable(path: Path) -> None:
    """Take all rights; the superuser can read it nevertheless."""
    path.chmod(0)


FILES = [remove, empty, folder_instead, pipe_instead, link_to_nothing, link_to_itself]
FILES += [link_to_a_device, link_elsewhere, unreadable]

KINDS: dict[str, list[Damage]] = {
    ".csv": [*map(inside_gzip, TABLES), *TEXTS],
    ".tsv": [*map(inside_gzip, TABLES), *TEXTS],
    ".inter": [*map(inside_gzip, TABLES), *TEXTS],
    ".item": [*map(inside_gzip, TABLES), *TEXTS],
    ".dat": [*map(inside_gzip, UNTYPED_LINES), *TEXTS],
    ".jsonl": [*map(inside_gzip, JSON_LINES), *TEXTS],
    ".json": [*JSON, *TEXTS],
    ".txt": [*map(inside_gzip, UNTYPED_LINES), *TEXTS],
    **ARRAYS,
}


def kind_of(path: Path) -> str:
    """Return the ending that tells the kind of a file; published JSON lines are called .json."""
    name = path.name.removesuffix(".gz")
    lines = path.name.endswith(".json.gz")
    return ".jsonl" if lines else Path(name).suffix


def damage_file(path: Path, rng: Random) -> str:
    """Damage a file, and return the names of what was done to it."""
    chance = rng.random()
    if chance < 0.12:
        change = rng.choice(FILES)
        change(path)
        return change.__name__
    fitting = KINDS.get(kind_of(path), [])
    damages = [rng.choice(fitting if fitting and chance < 0.85 else BYTES)]
    if rng.random() < 0.2:
        damages.append(rng.choice([*fitting, *BYTES]))
    before = data = path.read_bytes()
    done = []
    for damage in damages:
        try:
            data = damage(data, rng)
            done.append(damage.__name__)
        except Exception:  # an earlier damage went so deep that this one finds no place
            continue
    if data == before:
        data, done = flip_bits(data, rng), [*done, flip_bits.__name__]
    path.write_bytes(data)
    return "+".join(done)
