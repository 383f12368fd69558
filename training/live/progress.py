"""What the terminal shows of a run while it is under way: its state now and then.

On a terminal the state is a screen in place. Where the output is no terminal (a file, a pipe, a
dumb terminal) it becomes plain lines: at most one in ten seconds, and one in half a minute even
where an update takes longer.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

import rich
from rich.console import Console

from training.live.history import History
from training.live.plain import PlainLines, print_line
from training.live.rate import Rate
from training.live.screen import Screen
from training.live.status import Status, View
from training.live.subject import PLAY, Subject


class ProgressReporter(Protocol):
    """Who is told how far the run is."""

    def update(self, status: Status) -> None:
        """Show the state of the run."""

    def tick(self, activity: str) -> None:
        """Say that this process is at work, and at what, between two updates."""

    def message(self, text: str) -> None:
        """Print a line above the state."""

    def close(self) -> None:
        """Show the last state and leave it."""


class NullProgress:
    """Shows nothing: for every rank but the first."""

    def update(self, status: Status) -> None:
        """Do nothing."""

    def tick(self, activity: str) -> None:
        """Do nothing."""

    def message(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Progress:
    """The state of a run on a console.

    Args:
        total_env_steps: env steps, or whatever is counted, at which the run ends.
        frame_skip: frames per env step.
        start_env_steps: those already done (a resumed run).
        title: the run in a few words.
        subject: what is counted and shown.
        in_place: False for plain lines, also on a terminal.
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        total_env_steps: int,
        frame_skip: int,
        start_env_steps: int = 0,
        *,
        title: str = "",
        subject: Subject = PLAY,
        in_place: bool = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total_env_steps
        self._frame_skip = frame_skip
        self._title = title
        self._subject = subject
        self._console = console or rich.get_console()
        self._clock = clock
        self._start_time = self._last_shown = clock()
        self._first = Status(start_env_steps)
        self._measured = Rate(self._start_time, start_env_steps)
        self._at_random = Rate(self._start_time, 0)
        self._history = History(tuple(chart.name for chart in subject.charts))
        self._status: Status | None = None
        self._rate: float | None = None
        self._activity = ""
        self._status_is_shown = True
        self._thread = threading.get_ident()
        in_place &= self._console.is_terminal and not self._console.is_dumb_terminal
        self._display: Screen | PlainLines | None = (
            Screen(self._console) if in_place else PlainLines(self._console)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def recall(self, metrics: Path) -> None:
        """Begin the curves with the rows that the run has left there, if there are any."""
        if self._console.is_terminal and metrics.exists():
            self._history.recall(metrics, self._subject.speed_of)

    def update(self, status: Status) -> None:
        """Show the state of the run, unless one was shown just now."""
        now, is_first = self._clock(), self._status is None
        self._rate = self._measured.measure(now, status.env_steps)
        if status.random_play is None:
            self._history.add(status.values, self._rate)
        else:
            self._rate = self._at_random.measure(now, status.random_play.done)
        self._status, self._status_is_shown = status, False
        if is_first or self._is_due(now):
            self._show(now)

    def tick(self, activity: str) -> None:
        """Draw the state again if nothing was shown for a while: its clock, and what is being done.

        Called within the loops; costs a look at the clock. Other threads than the one that made
        this object say nothing, so that nobody draws after the end.
        """
        if self._display is None:
            return
        now = self._clock()
        is_due = now - self._last_shown >= self._display.longest_silence
        if not is_due or threading.get_ident() != self._thread:
            return
        if self._status is None and not self._display.is_in_place:
            self._status = self._first  # the first update takes its time
        self._activity = activity
        self._show(now)
        if not self._display.is_in_place:
            self._activity = ""  # was that of one line

    def message(self, text: str) -> None:
        """Print a line above the state."""
        print_line(self._console, text)

    def close(self) -> None:
        """Show the last state and leave it; a second call does nothing."""
        if self._display is None:
            return
        self._activity = ""
        if self._display.is_in_place or not self._status_is_shown:
            self._show(self._clock())
        self._display.close()
        self._display = None

    def _is_due(self, now: float) -> bool:
        return self._display is not None and now - self._last_shown >= self._display.pause

    def _show(self, now: float) -> None:
        if self._status is None or self._display is None:
            return
        self._last_shown, self._status_is_shown = now, True
        self._display.draw(
            View(
                title=self._title,
                status=self._status,
                total_env_steps=self._total,
                frame_skip=self._frame_skip,
                elapsed=now - self._start_time,
                steps_per_second=self._rate,
                activity=self._activity,
                history=self._history.series,
                subject=self._subject,
            )
        )
