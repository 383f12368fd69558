"""The line of a collection: in place on a terminal, now and then elsewhere."""

import io

from rich.console import Console

from training.live.collecting_progress import SECONDS_BETWEEN_LINES, CollectingProgress


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_line_says_how_far_it_is_how_fast_and_how_long() -> None:
    clock = Clock()
    progress = CollectingProgress(200, console=Console(file=io.StringIO()), clock=clock)
    clock.now += 60
    assert progress.text(50, 6000, 2_500_000) == (
        "50 of 200 episodes, 100 env steps/s, 2.5 MB, ETA 3m00s"
    )
    assert "ETA" not in progress.text(0, 100, 0)
    assert "ETA" not in progress.text(200, 100, 0)


def test_off_a_terminal_there_is_a_plain_line_now_and_then() -> None:
    clock, out = Clock(), io.StringIO()
    with CollectingProgress(9, "rank 0 of 2", console=Console(file=out), clock=clock) as progress:
        for _ in range(25):
            clock.now += 1
            progress.update(1, 10, 0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 25 // SECONDS_BETWEEN_LINES
    assert lines[0].startswith("rank 0 of 2: 1 of 9 episodes, ")


def test_on_a_terminal_it_is_drawn_in_place() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    clock = Clock()
    with CollectingProgress(9, console=console, clock=clock) as progress:
        clock.now += 1
        progress.update(3, 10, 0)
    assert "\x1b[" in out.getvalue()
