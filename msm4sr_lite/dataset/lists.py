"""Lists that are written as text in a cell of a csv file."""

import ast
import json
import re
import warnings
from typing import Any

# A text in quotes, as Python writes it.
QUOTED = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")


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
        strings = all(isinstance(entry, str) or entry is None for entry in found)
        return found if strings else cell
    except (ValueError, RecursionError):
        pass
    if re.sub(r"None|nan|[\s,]", "", QUOTED.sub("", inside[1:-1])):
        return cell  # something stands between the quoted texts
    try:
        with warnings.catch_warnings(action="error"):
            return [ast.literal_eval(quoted) for quoted in QUOTED.findall(inside)]
    except (SyntaxError, ValueError):  # not as Python writes a text
        return cell
