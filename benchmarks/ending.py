"""How a benchmark that make runs says that it ends: in one sentence, which make repeats."""

import argparse
import sys
from typing import NoReturn

from training.folders.last_word import leave_last_word


def end_with(code: int, text: str) -> int:
    """Say why it ends, to the terminal and to make; return the exit code."""
    leave_last_word(code, text)
    print(text, file=sys.stderr)
    return code


class Parser(argparse.ArgumentParser):
    """Refuses a command line in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        sys.exit(end_with(2, f"error: {message} ({self.prog} -h lists all flags)"))
