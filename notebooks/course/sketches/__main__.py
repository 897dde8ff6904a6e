"""Write all drawings, and remove those that nothing draws any more."""

from course.drawings import FOLDER
from course.sketches import build

built = build()
for name, svg in built.items():
    (FOLDER / name).write_text(svg, encoding="utf-8", newline="\n")
for path in FOLDER.glob("*.svg"):
    if path.name not in built:
        path.unlink()
