"""What `python -m benchmarks.small` runs."""

import sys

from benchmarks.small.command import main

if __name__ == "__main__":
    sys.exit(main())
