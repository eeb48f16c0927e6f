"""``python -m skpapers``."""

import sys

from skpapers.cli import main

if __name__ == "__main__":
    sys.exit(main())
