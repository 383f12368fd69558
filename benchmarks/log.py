"""The log of results: what a part of the benchmark printed is kept in benchmarks/LOG.md."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import header
from benchmarks.stopping import stop_signals_raise

LOG = Path(__file__).parent / "LOG.md"
TITLE = "# Results of `make bench`, newest last\n"


class Record:
    """One measurement's words: printed at once, kept for the log."""

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._said: list[str] = []

    def say(self, text: str) -> None:
        """Print a paragraph or a table, and keep it."""
        print(f"{text}\n", flush=True)
        self._said.append(text)

    @property
    def has_results(self) -> bool:
        """Whether anything has been said."""
        return bool(self._said)

    def text(self) -> str:
        """Return all of it as one section of markdown."""
        return "\n\n".join([self._heading, *self._said])


@contextmanager
def recording(
    part: str, options: argparse.Namespace, packages: Sequence[str], log: Path | None = LOG
) -> Iterator[Record]:
    """Print the header, yield what says the results, and append both to the log.

    A measurement that is stopped or fails leaves what it had said by then, with a word on how it
    ended; one that had said nothing leaves nothing. So does one that SIGTERM or SIGHUP stops.

    Args:
        part: the benchmark's name.
        options: its options; with `no_log` among them and true, the log is left as it is.
        packages: whose versions matter.
        log: the file, or None for none.
    """
    told = {name: value for name, value in vars(options).items() if name != "no_log"}
    facts = header(argparse.Namespace(**told), packages)
    print(f"{facts}\n", flush=True)
    heading = f"## {part}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}\n\n"
    record = Record(f"{heading}```\n{facts}\n```")
    path = None if getattr(options, "no_log", False) else log
    try:
        with stop_signals_raise():
            yield record
    finally:
        if path is not None and record.has_results:
            error = sys.exc_info()[1]
            ending = "" if error is None else f"\n\nEnded early: {type(error).__name__}."
            append_to_log(record.text() + ending, path)


def append_to_log(section: str, log: Path = LOG) -> None:
    """Add a section of markdown to the end of the log, which is made where there is none."""
    with log.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(TITLE)
        file.write(f"\n{section}\n")


def add_log_flag(parser: argparse.ArgumentParser) -> None:
    """Let the command line leave the log as it is."""
    parser.add_argument("--no_log", action="store_true", help=f"do not add to {LOG.name}")
