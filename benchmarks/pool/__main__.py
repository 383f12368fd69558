"""What `python -m benchmarks.pool` runs."""

import sys

from benchmarks.pool.command import main

if __name__ == "__main__":
    sys.exit(main())
