"""How far a collection is: a line in place on a terminal, a plain one now and then elsewhere."""

import time
from collections.abc import Callable
from typing import Self

import rich
from rich.console import Console

from training.live.plain import print_line
from training.live.words import duration

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_DRAWINGS = 0.1


class NullCollectingProgress:
    """Shows nothing: for every rank but the first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def update(self, episodes: int, env_steps: int, num_bytes: int) -> None:
        """Do nothing."""


class CollectingProgress:
    """Shows episodes, env steps per second, megabytes, and the time that is left.

    Args:
        num_episodes: how many will be collected.
        whose: whose share that is, in words; "" for all.
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        num_episodes: int,
        whose: str = "",
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._num_episodes = num_episodes
        self._whose = f"{whose}: " if whose else ""
        self._console = console or rich.get_console()
        self._clock = clock
        self._start = self._last = clock()
        in_place = self._console.is_terminal and not self._console.is_dumb_terminal
        self._status = self._console.status("collecting") if in_place else None
        self._pause = SECONDS_BETWEEN_DRAWINGS if in_place else SECONDS_BETWEEN_LINES

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, episodes: int, env_steps: int, num_bytes: int) -> None:
        """Tell how many episodes are collected, env steps played and bytes written so far."""
        now = self._clock()
        if now - self._last < self._pause:
            return
        self._last = now
        text = self.text(episodes, env_steps, num_bytes)
        if self._status is not None:
            self._status.update(text)
        else:
            print_line(self._console, text)

    def text(self, episodes: int, env_steps: int, num_bytes: int) -> str:
        """Return the line."""
        elapsed = self._clock() - self._start
        parts = [f"{self._whose}{episodes:,} of {self._num_episodes:,} episodes"]
        if elapsed > 0:
            parts.append(f"{env_steps / elapsed:,.0f} env steps/s")
        parts.append(f"{num_bytes / 1e6:,.1f} MB")
        if 0 < episodes < self._num_episodes:
            left = elapsed / episodes * (self._num_episodes - episodes)
            parts.append(f"ETA {duration(left)}")
        return ", ".join(parts)
