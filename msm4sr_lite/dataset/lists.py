"""Lists that are written as text in a cell of a csv file."""

import ast
import json
import re
import warnings
from typing import Any

# A text in quotes or a number, as Python writes it, or what may stand between two of them.
PART = re.compile(r"""('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|-?\d[\d.]*)|None|nan|[\s,]+""")


def written_list(cell: str) -> str | list[Any]:
    """Read a text cell that spells out a list as JSON, Python or NumPy do; return other cells.

    A csv file that was made from a column of lists holds such cells.

    >>> written_list("['Home', nan]"), written_list("['Home' 'Mugs']"), written_list("[sale] Mug")
    (['Home'], ['Home', 'Mugs'], '[sale] Mug')
    """
    inside = cell.strip()
    if not (inside.startswith("[") and inside.endswith("]")):
        return cell
    try:
        found = json.loads(inside)
        return found if _is_of_texts(found) else cell
    except (ValueError, RecursionError):
        pass
    quoted, place = [], 1
    while place < len(inside) - 1:
        if not (part := PART.match(inside, place, len(inside) - 1)):
            return cell  # something else stands between the quoted texts
        quoted += [part[1]] if part[1] else []
        place = part.end()
    try:
        with warnings.catch_warnings(action="error"):
            found = [ast.literal_eval(part) for part in quoted]
        return found if _is_of_texts(found) else cell
    except (SyntaxError, ValueError):  # not as Python writes a text
        return cell


def _is_of_texts(entries: list[Any]) -> bool:
    """Return whether texts, perhaps with numbers between them, were in a list; [12] is none."""
    kinds = {type(entry) for entry in entries} - {type(None)}
    return kinds <= {str, int, float} and (str in kinds or not kinds)
