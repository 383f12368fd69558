"""How many bytes were read of how many: a line in place on a terminal, a plain one elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from training.live.plain import print_line
from training.live.words import duration, percent

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def reading(
    total: int, what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Show progress while the block runs; give the function that is told of bytes.

    Args:
        total: bytes in all.
        what: is done.
        clock: seconds that never run backwards.
    """
    console = rich.get_console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield _PlainLines(total, what, clock).read
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn()),
        *(TransferSpeedColumn(), TextColumn("ETA"), TimeRemainingColumn()),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda num_bytes: progress.advance(task, num_bytes)


class _PlainLines:
    """Prints a line now and then."""

    def __init__(self, total: int, what: str, clock: Callable[[], float]) -> None:
        self._total, self._what, self._clock = total, what, clock
        self._done = 0
        self._start = self._last_line = clock()

    def read(self, num_bytes: int) -> None:
        self._done += num_bytes
        now = self._clock()
        if now - self._last_line < SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        left = (now - self._start) * (self._total - self._done) / max(1, self._done)
        told = f"{self._what}: {percent(self._done, self._total)} of {self._total / 1e6:,.0f} MB"
        print_line(rich.get_console(), f"{told}, ETA {duration(max(0.0, left))}")
