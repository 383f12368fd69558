"""What `python -m benchmarks.learning` runs."""

import sys

from benchmarks.learning.command import main

if __name__ == "__main__":
    sys.exit(main())
