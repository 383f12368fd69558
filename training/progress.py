"""What the terminal shows of a run: a start table, one live line, and a last word.

Where the output is no terminal (a file, a pipe, a dumb terminal) the live line becomes plain lines,
at most one in ten seconds.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import rich
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_REFRESHES = 0.1
_WINDOW_SECONDS = 30.0
_WINDOW_POINTS = 4  # kept however old, so that slow updates have a rate too
_TRAINING_PHASE = "train"


class ProgressReporter(Protocol):
    """Who is told how far the run is."""

    def update(
        self,
        env_steps: int,
        *,
        score: float | None = None,
        intrinsic: float | None = None,
        rooms: int | None = None,
        phase: str = _TRAINING_PHASE,
    ) -> None:
        """Show the state of the run."""

    def message(self, text: str) -> None:
        """Print a line above the live line."""

    def close(self) -> None:
        """Show the last state and end the live line."""


class NullProgress:
    """Shows nothing: for every rank but the first."""

    def update(
        self,
        env_steps: int,
        *,
        score: float | None = None,
        intrinsic: float | None = None,
        rooms: int | None = None,
        phase: str = _TRAINING_PHASE,
    ) -> None:
        """Do nothing."""

    def message(self, text: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class _State:
    """One update's figures; `steps_per_second` is None before there is a rate."""

    env_steps: int
    score: float | None
    intrinsic: float | None
    rooms: int | None
    phase: str
    steps_per_second: float | None


class Progress:
    """The live line of a run.

    Args:
        total_env_steps: env steps at which the run ends.
        frame_skip: frames per env step.
        start_env_steps: env steps already done (a resumed run).
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        total_env_steps: int,
        frame_skip: int,
        start_env_steps: int = 0,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total_env_steps
        self._frame_skip = frame_skip
        self._console = console or rich.get_console()
        self._clock = clock
        self._start_time = self._last_shown = clock()
        self._window = deque([(self._start_time, start_env_steps)])
        self._state: _State | None = None
        self._state_is_shown = True
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(
        self,
        env_steps: int,
        *,
        score: float | None = None,
        intrinsic: float | None = None,
        rooms: int | None = None,
        phase: str = _TRAINING_PHASE,
    ) -> None:
        """Show the state of the run, unless it was shown just now.

        Args:
            env_steps: env steps of all ranks so far.
            score: mean return of the last 100 episodes.
            intrinsic: mean intrinsic reward of the last rollout.
            rooms: rooms visited so far.
            phase: what is being done, for instance "warm-up 3/50".
        """
        now = self._clock()
        rate = self._rate(now, env_steps)
        is_first = self._state is None
        self._state = _State(env_steps, score, intrinsic, rooms, phase, rate)
        self._state_is_shown = False
        pause = _SECONDS_BETWEEN_LINES if self._live is None else _SECONDS_BETWEEN_REFRESHES
        if is_first or now - self._last_shown >= pause:
            self._show(now)

    def message(self, text: str) -> None:
        """Print a line above the live line."""
        _print(self._console, text)

    def close(self) -> None:
        """Show the last state and end the live line; a second call does nothing."""
        if not self._state_is_shown:
            self._show(self._clock())
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show(self, now: float) -> None:
        if self._state is None:
            return
        self._last_shown = now
        self._state_is_shown = True
        if self._live is None:
            _print(self._console, self._plain_line(self._state, now))
        else:
            self._live.update(self._live_line(self._state, self._console.width), refresh=True)

    def _rate(self, now: float, env_steps: int) -> float | None:
        """Return env steps per second over the last half minute."""
        window = self._window
        if env_steps < window[-1][1] or (len(window) == 1 and env_steps == window[0][1]):
            window.clear()
        window.append((now, env_steps))
        while len(window) > _WINDOW_POINTS and now - window[1][0] >= _WINDOW_SECONDS:
            window.popleft()
        seconds, steps = now - window[0][0], env_steps - window[0][1]
        return steps / seconds if seconds > 0 and steps > 0 else None

    def _remaining(self, state: _State) -> str:
        if state.steps_per_second is None:
            return "--"
        left = max(0, self._total - state.env_steps)  # the last rollout may go past the end
        return _duration(left / state.steps_per_second)

    def _live_line(self, state: _State, width: int) -> Text:
        """Return the line in less than `width` columns; what matters least is left out first."""
        rate, skip = state.steps_per_second, self._frame_skip
        done = f"{_percent(state.env_steps, self._total)} "
        parts = [  # (importance, label in front, value, unit behind)
            (9, "", "" if state.phase == _TRAINING_PHASE else state.phase, ""),
            (8, "", done + f"{_short(state.env_steps)}/{_short(self._total)}", ""),
            (3, "", "" if rate is None or skip == 1 else _short(rate * skip), " fps"),
            (3 if skip == 1 else 1, "", "" if rate is None else _short(rate), " steps/s"),
            (7, "ETA ", self._remaining(state), ""),
            (6, "return ", _number(state.score), ""),
            (5, "bonus ", _number(state.intrinsic), ""),
            (4, "rooms ", "" if state.rooms is None else str(state.rooms), ""),
        ]
        parts = [part for part in parts if part[2]]
        while len(parts) > 1 and sum(_length(part) + 2 for part in parts) - 2 >= width:
            parts.remove(min(parts))
        line = Text(no_wrap=True, overflow="crop", end="")
        for index, (_, label, value, unit) in enumerate(parts):
            line.append("  " if index else "")
            line.append(label, style="dim").append(value, style="bold").append(unit, style="dim")
        line.truncate(max(width - 1, 1))
        return line

    def _plain_line(self, state: _State, now: float) -> str:
        parts = [
            f"[{_duration(now - self._start_time)}] {state.phase}",
            f"{state.env_steps:,} of {self._total:,} env steps "
            f"({_percent(state.env_steps, self._total)})",
        ]
        rate = state.steps_per_second
        if rate is not None:
            parts += [f"{rate * self._frame_skip:,.0f} frames/s", f"{rate:,.0f} env steps/s"]
            parts.append(f"ETA {self._remaining(state)}")
        if state.score is not None:
            parts.append(f"return of the last 100 episodes {_number(state.score)}")
        if state.intrinsic is not None:
            parts.append(f"intrinsic reward {_number(state.intrinsic)}")
        if state.rooms is not None:
            parts.append(f"rooms {state.rooms}")
        return ", ".join(parts)


class ConsoleLogHandler(logging.Handler):
    """Prints log records above the live line instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record; never raise into the code that logged."""
        try:
            _print(rich.get_console(), self.format(record))
        except (OSError, ValueError):
            self.handleError(record)


def start_banner(rows: Sequence[tuple[str, str]]) -> None:
    """Print what the run is about to do as a table of names and values."""
    console = rich.get_console()
    if not console.is_terminal:  # a file has no edge to wrap at
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            _print(console, f"{name:<{width}}  {value}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    console.print(table)


def final_message(text: str) -> None:
    """Print the run's last word."""
    _print(rich.get_console(), text)


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _length(part: tuple[int, str, str, str]) -> int:
    return sum(len(text) for text in part[1:])


def _percent(done: int, total: int) -> str:
    return f"{min(100 * done / total, 100):.1f}%"


def _short(number: float) -> str:
    """Return 9876, 12.3k, 456M: at least three digits and a unit."""
    if number < 9999.5:
        return f"{number:.0f}"
    power = 1 if number < 999_500 else 2 if number < 999_500_000 else 3
    number /= 1000**power
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f}{' kMG'[power]}"


def _number(value: float | None) -> str:
    """Return about four digits; nothing for None or not-a-number."""
    if value is None or value != value:  # noqa: PLR0124 - the test for not-a-number
        return ""
    return f"{value:,.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    """Return the two largest units: 42s, 3m05s, 1h02m, 2d03h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"
