"""How far an evaluation is: a line in place on a terminal, a plain one now and then elsewhere."""

import time
from collections.abc import Callable
from statistics import fmean
from typing import Self

import rich
from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0


class EvaluationProgress:
    """Shows episodes, their mean score, and env steps per second.

    Args:
        num_episodes: how many will be played.
        max_episode_steps: after which an episode is cut; None where none is known.
        console: where to print; the program's own by default.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        num_episodes: int,
        max_episode_steps: int | None,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._num_episodes = num_episodes
        self._max_episode_steps = max_episode_steps
        self._console = console or rich.get_console()
        self._clock = clock
        self._start = self._last_line = clock()
        self._in_place = self._console.is_terminal and not self._console.is_dumb_terminal
        self._status = self._console.status("evaluating") if self._in_place else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, env_steps: int, scores: list[float]) -> None:
        """Tell the env steps so far and the scores of the episodes that have ended."""
        now = self._clock()
        if self._status is not None:
            self._status.update(self._text(now, env_steps, scores))
        elif now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._console.print(self._text(now, env_steps, scores), highlight=False, soft_wrap=True)

    def _text(self, now: float, env_steps: int, scores: list[float]) -> str:
        elapsed = now - self._start
        text = f"evaluated {len(scores)} of {self._num_episodes} episodes, {elapsed:.0f} s"
        if elapsed > 0:
            text += f", {env_steps / elapsed:,.0f} env steps/s"
        if scores:
            return f"{text}, mean score {fmean(scores):,.2f}"
        cap = self._max_episode_steps
        end = "there is no limit (MaxStepPerEpisode)" if cap is None else f"each may last {cap:,}"
        return f"{text}; no episode has ended in {env_steps:,} env steps, and {end}"
