"""What `python -m benchmarks.td3_study` runs."""

import sys

from benchmarks.td3_study.command import main

if __name__ == "__main__":
    sys.exit(main())
