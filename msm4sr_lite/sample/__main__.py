"""Print how far any recommender can get: ``python -m msm4sr_lite.sample FOLDER``."""

import sys
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.sample.reach import table
from msm4sr_lite.sample.write import load_world


def main(arguments: list[str]) -> int:
    """Read the folder named by the only argument; return the exit code."""
    try:
        if len(arguments) != 1:
            raise UserError("one argument is wanted, the folder of a sample shop")
        world = load_world(Path(arguments[0]))
        if world is None:
            raise UserError(f"{arguments[0]}: no sample.json, so this is no sample shop")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(world))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
