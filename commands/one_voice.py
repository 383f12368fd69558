"""Which of a node's processes says what all of them find in the same way."""

import os
import sys
from contextlib import suppress

PATIENCE = 20.0  # seconds


def is_first_of_node() -> bool:
    """Return whether this process says what all processes of its node find in the same way."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def let_the_first_speak() -> None:
    """Wait to be ended: torchrun ends all processes as soon as one of them has left."""
    import signal
    import time

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(PATIENCE)


def say_last(code: int, text: str) -> None:
    """Say how it ended, to the terminal and to whoever speaks after this process."""
    with suppress(ModuleNotFoundError):  # a Python without the packages, which `text` says
        from training.folders.last_word import leave_last_word

        leave_last_word(code, text)
    with suppress(OSError):  # the terminal's file is full; the record above has it
        print(text, file=sys.stderr)
