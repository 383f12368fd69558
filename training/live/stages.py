"""Which stage of some work is under way: a line in place on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Self

import rich
from rich.console import Console

from training.live.plain import print_line
from training.live.words import duration


class Stages:
    """Shows what is being done, the how manyeth it is, and for how long all of it has taken.

    Args:
        total: how many stages there are.
        what: is done in all of them.
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        total: int,
        what: str,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._what, self._clock = total, what, clock
        self._console = console or rich.get_console()
        self._begun = 0
        self._start = clock()
        in_place = self._console.is_terminal and not self._console.is_dumb_terminal
        self._status = self._console.status(what) if in_place else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begin(self, activity: str) -> None:
        """Say that the next stage begins."""
        self._begun += 1
        elapsed = duration(self._clock() - self._start)
        text = f"[{elapsed}] {self._what}, {self._begun} of {self._total}: {activity}"
        if self._status is not None:
            self._status.update(text.replace("[", r"\["))
        else:
            print_line(self._console, text)
