"""``python -m msm4sr_lite`` is the command ``msm4sr``."""

import sys
from importlib import import_module

if __name__ == "__main__":
    sys.exit(import_module("msm4sr_lite.cli").main())
