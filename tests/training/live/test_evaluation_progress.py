"""The line that an evaluation shows while it plays."""

import io
from itertools import count

import pytest
from rich.console import Console

from training.live.evaluation_progress import EvaluationProgress


def shown(*, terminal: bool, seconds_per_step: float) -> str:
    """Return what is printed while one episode in ten steps ends, 40 steps long."""
    stream, ticks = io.StringIO(), count()
    console = Console(file=stream, force_terminal=terminal, width=120)
    clock = lambda: seconds_per_step * next(ticks)  # noqa: E731
    with EvaluationProgress(4, 500, console=console, clock=clock) as progress:
        for step in range(1, 41):
            progress.update(8 * step, [10.0] * (step // 10))
    return stream.getvalue()


def test_elsewhere_than_on_a_terminal_a_plain_line_comes_every_ten_seconds() -> None:
    lines = shown(terminal=False, seconds_per_step=1.0).splitlines()
    assert lines == [
        "evaluated 1 of 4 episodes, 10 s, 8 env steps/s, mean score 10.00",
        "evaluated 2 of 4 episodes, 20 s, 8 env steps/s, mean score 10.00",
        "evaluated 3 of 4 episodes, 30 s, 8 env steps/s, mean score 10.00",
        "evaluated 4 of 4 episodes, 40 s, 8 env steps/s, mean score 10.00",
    ]


def test_a_short_evaluation_says_nothing_on_its_way() -> None:
    assert shown(terminal=False, seconds_per_step=0.1) == ""


def test_on_a_terminal_the_line_stands_in_place() -> None:
    assert "evaluated 4 of 4 episodes" in shown(terminal=True, seconds_per_step=1.0)


@pytest.mark.parametrize(
    ("limit", "end"),
    [(None, "there is no limit (MaxStepPerEpisode)"), (4500, "each may last 4,500")],
)
def test_an_evaluation_of_which_no_episode_ends_says_what_it_waits_for(
    limit: int | None, end: str
) -> None:
    stream, ticks = io.StringIO(), count()
    console = Console(file=stream, width=120)
    clock = lambda: 5.0 * next(ticks)  # noqa: E731
    with EvaluationProgress(4, limit, console=console, clock=clock) as progress:
        for step in (8, 16):
            progress.update(step, [])
    assert stream.getvalue() == (
        "evaluated 0 of 4 episodes, 10 s, 2 env steps/s; no episode has ended in 16 env steps, "
        f"and {end}\n"
    )
