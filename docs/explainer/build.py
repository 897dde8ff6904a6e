"""Put the page together: ``python -m docs.explainer.build`` writes ``build/explainer/index.html``.

Everything is inlined, so that the page works from a file. The modules are joined in the order of
their imports. A content security policy lets only this script and this style run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLE = ROOT / "data_samples" / "corner_shop"
PAGE = ROOT / "build" / "explainer" / "index.html"
STYLES = ("style.css", "left.css", "right.css", "panels.css")
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.M)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) ([\w$]+)", re.M)
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
    """Return the items, users and words of the page, with the pictures inlined."""
    data: dict[str, Any] = json.loads((HERE / "items.json").read_text(encoding="utf-8"))
    for item in data["items"]:
        picture = base64.b64encode((SAMPLE / item.pop("image")).read_bytes()).decode()
        item["picture"] = f"data:image/png;base64,{picture}"
    return data


def digest(text: str) -> str:
    """Return the hash by which a content security policy allows an inlined text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def build_page() -> str:
    """Return the whole page."""
    data = page_data()
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    script = join_modules(HERE, "main.js")
    policy = f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)};"
    parts = {
        "policy": f"{policy} img-src data:; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "weights": base64.b64encode((HERE / "weights.safetensors").read_bytes()).decode(),
        "n_items": str(len(data["items"])),
        "n_users": str(len(data["users"])),
        "width": str(data["made_by"]["width"]),
        "with_mixup": f"{data['made_by']['recall@20']['mixup_finetuned']:.3f}",
        "without_mixup": f"{data['made_by']['recall@20']['plain_finetuned']:.3f}",
        "variance": f"{data['made_by']['variance_kept']:.0%}".replace("%", " %"),
    }
    template = (HERE / "index.html").read_text(encoding="utf-8")
    return _PLACE.sub(lambda place: parts[place[1]], template)


def write_page(path: Path = PAGE) -> Path:
    """Write the page and return where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build_page(), encoding="utf-8", newline="\n")
    return path


if __name__ == "__main__":
    written = write_page(*map(Path, sys.argv[1:2]))
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
