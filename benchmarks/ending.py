"""How a benchmark that make runs begins and ends: its command line, and one last sentence.

make repeats that sentence.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from benchmarks.stopping import STOP_SIGNALS
from configs.errors import ScoutError
from configs.options import nearest
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

    def parse_args(  # type: ignore[override]  # one signature is enough here
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse all of `args`; of an unknown flag the nearest one is told."""
        parsed, unknown = self.parse_known_args(args, namespace)
        flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if unknown:
            self.error("; ".join(map(self._unknown, flags or unknown)))
        return parsed

    def _unknown(self, word: str) -> str:
        near = nearest(word, self._option_string_actions)
        return f"unknown argument {word}" + (f"; did you mean {near}?" if near else "")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        sys.exit(end_with(2, f"error: {message} ({self.prog} -h lists all flags)"))


def add_seeds(parser: Parser, seeds: list[int]) -> None:
    """Add the seeds of a study; `seeds` where none are typed."""
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        action=Once,
        default=seeds,
        metavar="N",
        help=f"every arm runs with each of them ({' '.join(map(str, seeds))})",
    )


def add_place(parser: Parser, folder: str) -> None:
    """Add the flags that all studies have: where a study lies, and keys beside its recipes."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(folder),
        help="where the study lies, to begin or to go on with (%(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="Key=Value",
        help="a configuration key beside the recipes of all runs; repeatable",
    )
