"""Print how far any recommender can get: ``python -m data_samples.make FOLDER``."""

import sys
from pathlib import Path

from data_samples.make.reach import table
from data_samples.make.write import load_world
from msm4sr_lite.config import UserError


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
