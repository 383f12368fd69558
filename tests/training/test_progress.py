"""What the terminal shows, on terminals of several widths and in files."""

import io
import logging

import pytest
from rich.console import Console

from training.progress import (
    ConsoleLogHandler,
    NullProgress,
    Progress,
    ProgressReporter,
    final_message,
    start_banner,
)


class FakeClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A console that writes to memory, as a terminal or as a file."""

    def __init__(self, width: int = 80, *, terminal: bool) -> None:
        self.output = io.StringIO()
        environment = {"TERM": "xterm-256color" if terminal else "dumb"}
        self.console = Console(
            file=self.output,
            width=width,
            force_terminal=terminal,
            color_system=None,
            _environ=environment,
        )

    def lines(self) -> list[str]:
        return self.output.getvalue().splitlines()

    def last_line(self) -> str:
        """Return the newest state of the live line without control codes."""
        text = self.output.getvalue().removesuffix("\x1b[?25h")
        return text.rpartition("\x1b[2K")[2].strip()


def run_for_a_while(progress: Progress, clock: FakeClock, *, total: int = 60) -> None:
    for second in range(total + 1):
        clock.now = 1000.0 + second
        progress.update(1200 * second, score=-132.44, intrinsic=0.01234, rooms=24)


@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 100, 120])
def test_the_live_line_never_reaches_the_edge_of_the_terminal(width: int) -> None:
    screen, clock = Screen(width, terminal=True), FakeClock()
    with Progress(491_520_000, 4, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
    assert 0 < len(screen.last_line()) < width


def test_the_live_line_at_80_columns_says_what_matters() -> None:
    screen, clock = Screen(terminal=True), FakeClock()
    with Progress(491_520_000, 4, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
    assert screen.last_line() == (
        "0.0% 72.0k/492M  4800 fps  ETA 4d17h  return -132.4  bonus 0.0123  rooms 24"
    )


def test_a_wide_terminal_shows_env_steps_per_second_too() -> None:
    screen, clock = Screen(120, terminal=True), FakeClock()
    with Progress(491_520_000, 4, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
    assert "4800 fps  1200 steps/s" in screen.last_line()


def test_without_frame_skip_there_is_one_rate_in_env_steps() -> None:
    screen, clock = Screen(terminal=True), FakeClock()
    with Progress(72_000, 1, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
    assert screen.last_line() == (
        "100.0% 72.0k/72.0k  1200 steps/s  ETA 0s  return -132.4  bonus 0.0123  rooms 24"
    )


def test_warm_up_is_shown_without_a_rate() -> None:
    screen, clock = Screen(terminal=True), FakeClock()
    with Progress(1000, 1, console=screen.console, clock=clock) as progress:
        for rollout in range(3):
            clock.now += 5
            progress.update(0, phase=f"warm-up {rollout + 1}/50")
    assert screen.last_line() == "warm-up 3/50  0.0% 0/1000  ETA --"


def test_a_file_gets_a_line_in_ten_seconds_and_the_first_and_the_last() -> None:
    screen, clock = Screen(terminal=False), FakeClock()
    with Progress(72_000, 4, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock, total=34)
    times = [line.split("]")[0] for line in screen.lines()]
    assert times == ["[0s", "[10s", "[20s", "[30s", "[34s"]
    assert screen.lines()[-1] == (
        "[34s] train, 40,800 of 72,000 env steps (56.7%), 4,800 frames/s, 1,200 env steps/s, "
        "ETA 26s, return of the last 100 episodes -132.4, intrinsic reward 0.0123, rooms 24"
    )


def test_the_last_line_is_not_repeated_at_the_end() -> None:
    screen, clock = Screen(terminal=False), FakeClock()
    progress = Progress(100, 1, console=screen.console, clock=clock)
    progress.update(100)
    progress.close()
    progress.close()
    assert len(screen.lines()) == 1


def test_the_rate_follows_the_last_half_minute() -> None:
    screen, clock = Screen(terminal=False), FakeClock()
    with Progress(10**6, 1, console=screen.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
        for second in range(61, 121):
            clock.now = 1000.0 + second
            progress.update(72_000 + 10 * (second - 60))
    assert ", 10 env steps/s" in screen.lines()[-1]


def test_slow_updates_have_a_rate_too() -> None:
    screen, clock = Screen(terminal=False), FakeClock()
    with Progress(10**6, 1, console=screen.console, clock=clock) as progress:
        for update in range(5):
            clock.now = 1000.0 + 100 * update
            progress.update(500 * update)
    assert ", 5 env steps/s" in screen.lines()[-1]


def test_a_resumed_runs_rate_does_not_count_what_was_done_before() -> None:
    screen, clock = Screen(terminal=False), FakeClock()
    with Progress(10**6, 1, 500_000, console=screen.console, clock=clock) as progress:
        clock.now += 10
        progress.update(500_100)
    assert "500,100 of 1,000,000 env steps (50.0%)" in screen.lines()[-1]
    assert ", 10 env steps/s" in screen.lines()[-1]


def test_a_message_stands_on_its_own_line_as_it_is_written() -> None:
    for terminal in (True, False):
        screen, clock = Screen(terminal=terminal), FakeClock()
        with Progress(1000, 1, console=screen.console, clock=clock) as progress:
            progress.update(10)
            progress.message("saved [bold]a[/bold].ckpt " + "x" * 100)
        assert "saved [bold]a[/bold].ckpt " + "x" * 100 + "\n" in screen.output.getvalue()


def test_a_figure_that_is_not_a_number_is_left_out() -> None:
    screen, clock = Screen(terminal=True), FakeClock()
    with Progress(1000, 1, console=screen.console, clock=clock) as progress:
        progress.update(10, score=float("nan"))
    assert screen.last_line() == "1.0% 10/1000  ETA --"


def test_an_error_inside_still_ends_the_live_line() -> None:
    screen, clock = Screen(terminal=True), FakeClock()

    def fail() -> None:
        with Progress(1000, 1, console=screen.console, clock=clock) as progress:
            progress.update(10)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert screen.output.getvalue().endswith("\x1b[?25h")  # the cursor is shown again


def test_the_null_reporter_takes_the_same_calls(capsys: pytest.CaptureFixture[str]) -> None:
    progress: ProgressReporter = NullProgress()
    progress.update(1, score=1.0, intrinsic=1.0, rooms=1, phase="train")
    progress.message("text")
    progress.close()
    assert capsys.readouterr().out == ""


def test_the_banner_aligns_values_and_keeps_long_ones_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = "logs/runs/" + "x" * 100 + " [bold]"
    start_banner([("environment", "CartPole-v1"), ("folder", path)])
    final_message("done: [0] " + path)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "environment  CartPole-v1",
        f"folder       {path}",
        f"done: [0] {path}",
    ]


def test_log_records_go_through_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    handler = ConsoleLogHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("environment [3] was lost")
    assert capsys.readouterr().out == "WARNING: environment [3] was lost\n"
