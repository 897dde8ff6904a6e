"""Put the page together: ``python -m docs.explainer.build`` writes ``build/explainer/index.html``.

Everything is inlined, so that the page works from a file. The modules are joined in the order of
their imports. A content security policy lets only this script and this style run.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.store.files import write_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLE = ROOT / "data_samples" / "corner_shop"
PAGE = ROOT / "build" / "explainer" / "index.html"
STYLES = ("style.css", "left.css", "right.css", "panels.css", "touch.css")
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.M)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) ([\w$]+)", re.M)
RESTORE = "restore it with `git checkout docs/explainer` or `python -m docs.explainer.export`"
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def join_modules(folder: Path, first: str) -> str:
    """Return a module and all that it imports as one script, without imports and exports.

    Raises
    ------
    ValueError
        If an imported name is not exported, or two modules declare the same name.
    """
    scripts: dict[str, str] = {}
    owner: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in scripts:
            return
        source = (folder / name).read_text(encoding="utf-8")
        for names, other in _IMPORT.findall(source):
            visit(other)
            for wanted in names.replace("\n", " ").split(","):
                if (one := wanted.strip()) and owner.get(one) != other:
                    raise ValueError(f"{name}: {other} does not declare {one}")
        for declared in _DECLARED.findall(source):
            if declared in owner:
                raise ValueError(
                    f"{name}: {owner[declared]} declares {declared} as well; rename it"
                )
            owner[declared] = name
        body = re.sub(r"^export ", "", _IMPORT.sub("", source), flags=re.M)
        scripts[name] = f"// ---- {name}\n{body}"

    visit(first)
    return "\n".join(scripts.values())


def page_data() -> dict[str, Any]:
    """Return the items, users and words of the page, with the pictures inlined.

    Raises
    ------
    ValueError
        If ``items.json`` is incomplete.
    OSError
        If a file is missing.
    """
    path = HERE / "items.json"
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for item in data["items"]:
            picture = base64.b64encode((SAMPLE / item.pop("image")).read_bytes()).decode()
            item["picture"] = f"data:image/png;base64,{picture}"
        _ = data["users"], data["words"], data["made_by"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is incomplete ({error}); {RESTORE}") from error
    return data


def read_weights(path: Path) -> bytes:
    """Return the stored weights after a look at their header and length.

    Raises
    ------
    ValueError
        If the file is empty, cut or not a safetensors file.
    OSError
        If it is missing.
    """
    stored = path.read_bytes()
    length = int.from_bytes(stored[:8], "little")
    try:
        header = json.loads(stored[8 : 8 + length])
        end = max(e["data_offsets"][1] for name, e in header.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} has no safetensors header; {RESTORE}") from error
    if len(stored) != 8 + length + end:
        wanted = 8 + length + end
        raise ValueError(f"{path} has {len(stored)} bytes instead of {wanted}; {RESTORE}")
    return stored


def digest(text: str) -> str:
    """Return the hash by which a content security policy allows an inlined text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def build_page() -> str:
    """Return the whole page."""
    data = page_data()
    weights = read_weights(HERE / "weights.safetensors")
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    script = join_modules(HERE, "main.js")
    policy = f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)};"
    parts = {
        "policy": f"{policy} img-src data:; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "weights": base64.b64encode(weights).decode(),
        "checksum": str(zlib.adler32(weights)),
        "n_items": str(len(data["items"])),
        "n_users": str(len(data["users"])),
        "width": str(data["made_by"]["width"]),
        "variance": f"{data['made_by']['variance_kept']:.0%}".replace("%", " %"),
    }
    template = (HERE / "index.html").read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: parts[place[1]], template)


def write_page(path: Path = PAGE) -> Path:
    """Write the page and return where it is."""
    write_text(path, build_page())
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; a fault is one line and exit status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.explainer.build", description="Put the live page together as one file."
    )
    help_text = "path of the page to write (default: build/explainer/index.html)"
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help=help_text)
    try:
        written = write_page(parser.parse_args(argv).page)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
