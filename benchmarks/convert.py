"""Measure memory and speed of `msm4sr convert` on files of growing size.

    python -m benchmarks.convert [--sizes 10 50 200] [--json]

Memory must not grow with the files. The script writes Amazon reviews of 2023 of the given sizes (MB
of text, compressed with gzip) into a temporary folder, with 20 reviews per item and 5 per user. It
converts each file in a new process. The system measures peak memory (Linux and macOS). The row
`empty` is a conversion of one review: the memory of Python and the libraries alone.
"""

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT = "blue mug holds tea well and the handle is light but my cat likes it more than I do"
WORDS = TEXT.split()


def sentence(generator, n_words):
    return " ".join(generator.choices(WORDS, k=n_words))


def generate(folder, size):
    """Write a pair of files; return the number of reviews and the MB of both on disk."""
    generator = random.Random(size)
    folder.mkdir()
    reviews = max(size // 480, 1)
    users, items = reviews // 5 + 1, reviews // 20 + 1
    with gzip.open(folder / "meta_Mugs.jsonl.gz", "wt", compresslevel=1) as stream:
        for n in range(items):
            row = {"parent_asin": f"B{n:09d}", "title": sentence(generator, 8), "store": "Norr"}
            row |= {"categories": ["Home", "Mugs"], "description": [sentence(generator, 60)]}
            stream.write(json.dumps(row) + "\n")
    with gzip.open(folder / "Mugs.jsonl.gz", "wt", compresslevel=1) as stream:
        for _ in range(reviews):
            row = {"rating": float(generator.randint(1, 5)), "title": sentence(generator, 4)}
            row |= {"text": sentence(generator, 55)}
            row |= {
                "parent_asin": f"B{generator.randrange(items):09d}",
                "user_id": f"A{generator.randrange(users):027d}",
                "timestamp": generator.randrange(10**12),
            }
            stream.write(json.dumps(row) + "\n")
    packed = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return {"reviews": reviews, "packed_mb": round(packed, 1)}


def measure(source, out):
    """Convert in a new process; return its peak memory, its time, and the summary it wrote."""
    command = [sys.executable, "-m", "msm4sr_lite", "convert", str(source), "--out", str(out)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    unit = 1e6 if sys.platform == "darwin" else 1e3
    counts = json.loads(output)
    return {
        "users": counts["users"],
        "items": counts["items"],
        "peak_mb": round(usage.ru_maxrss / unit, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 50, 200], help="MB of reviews")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in [0, *args.sizes]:
            source = Path(scratch) / f"source_{size}"
            made = generate(source, size * 1_000_000)
            found = measure(source, Path(scratch) / f"dataset_{size}")
            rows.append({"reviews_mb": size or "empty", **made, **found})
            if not args.json:
                print(*(f"{key} {value}" for key, value in rows[-1].items()), sep="  ", flush=True)
    if args.json:
        print(json.dumps({"convert": rows}))


if __name__ == "__main__":
    main()
