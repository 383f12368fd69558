"""How far encoding is: a line in place on a terminal, a plain one now and then elsewhere."""

import time
from collections.abc import Callable
from typing import Self

import rich
from rich.console import Console

from training.live.plain import print_line
from training.live.words import duration, percent

SECONDS_BETWEEN_LINES = 10.0


class EncodingProgress:
    """Shows episodes, observations per second, and when it will be over.

    Args:
        num_episodes: how many there are.
        is_silent: whether nothing is shown.
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        num_episodes: int,
        *,
        is_silent: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._num_episodes = num_episodes
        self._is_silent = is_silent
        self._console = console or rich.get_console()
        self._clock = clock
        self._start = self._last_line = clock()
        self._episodes = self._encoded = self._observations = 0
        in_place = self._console.is_terminal and not self._console.is_dumb_terminal
        self._status = self._console.status("encoding") if in_place and not is_silent else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def count(self, observations: int) -> None:
        """Count an episode that is done, with its observations; 0 where it was there before."""
        self._episodes += 1
        self._encoded += observations > 0
        self._observations += observations
        if self._is_silent:
            return
        now = self._clock()
        if self._status is not None:
            self._status.update(self._text(now))
        elif now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            print_line(self._console, self._text(now))

    def _text(self, now: float) -> str:
        elapsed = now - self._start
        done, total = self._episodes, self._num_episodes
        text = f"encoded {done:,} of {total:,} episodes ({percent(done, total)})"
        if elapsed > 0 and self._encoded:
            rate = self._observations / elapsed
            remaining = (total - done) * elapsed / self._encoded
            text += f", {rate:,.0f} observations/s, ETA {duration(remaining)}"
        return text
