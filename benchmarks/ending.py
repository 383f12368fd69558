"""How a benchmark that make runs says that it ends: in one sentence, which make repeats."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from benchmarks.stopping import STOP_SIGNALS
from configs.errors import ScoutError
from training.folders.last_word import leave_last_word

INTERRUPTED = 130


def end_with(code: int, text: str) -> int:
    """Say why it ends, to the terminal and to make; return the exit code."""
    leave_last_word(code, text)
    print(text, file=sys.stderr)
    return code


def goes_on(work: Callable[[], int]) -> int:
    """Do work that can be stopped at any time and goes on with the same command.

    Returns:
        the exit code: the work's own, that of its error, or INTERRUPTED.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    try:
        return work()
    except ScoutError as error:
        return end_with(error.exit_code, f"error: {error}")
    except KeyboardInterrupt:
        return end_with(INTERRUPTED, "interrupted; the same command continues")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Once(argparse.Action):
    """Keeps each of several values once: a study has no run twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take over the values, in their order."""
        setattr(namespace, self.dest, list(dict.fromkeys(values or ())))


class Parser(argparse.ArgumentParser):
    """Refuses a command line in one line, and flags that are not written out."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        sys.exit(end_with(2, f"error: {message} ({self.prog} -h lists all flags)"))
