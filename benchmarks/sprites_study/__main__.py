"""What `python -m benchmarks.sprites_study` runs."""

import sys

from benchmarks.sprites_study.command import main

if __name__ == "__main__":
    sys.exit(main())
