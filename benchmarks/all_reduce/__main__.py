"""What `python -m benchmarks.all_reduce` runs."""

import sys

from benchmarks.all_reduce.command import main

if __name__ == "__main__":
    sys.exit(main())
