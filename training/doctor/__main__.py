"""`python -m training.doctor`: see machine.py."""

import sys

from training.doctor.machine import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
