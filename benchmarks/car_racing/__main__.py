"""What `python -m benchmarks.car_racing` runs."""

import sys

from benchmarks.car_racing.command import main

if __name__ == "__main__":
    sys.exit(main())
