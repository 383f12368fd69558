"""What `python -m benchmarks.trajectories` runs."""

import sys

from benchmarks.trajectories.command import main

if __name__ == "__main__":
    sys.exit(main())
