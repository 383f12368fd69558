"""What `python -m benchmarks.encoders` runs."""

import sys

from benchmarks.encoders.command import main

if __name__ == "__main__":
    sys.exit(main())
