"""What the terminal shows, on terminals of several widths and in files."""

import io
import logging
import threading

import pytest
from rich.console import Console

from tests.training.live.terminals import Terminal, console_on
from training.live.console import ConsoleLogHandler, final_message, start_banner
from training.live.line import live_line
from training.live.progress import NullProgress, Progress, ProgressReporter
from training.live.status import RandomPlay, Status, View


class FakeClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class File:
    """A console that writes to memory, as a file."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        self.console = Console(
            file=self.output, width=80, color_system=None, _environ={"TERM": "dumb"}
        )

    def lines(self) -> list[str]:
        return self.output.getvalue().splitlines()


def status(
    env_steps: int, score: float | None = None, bonus: float | None = None, rooms: int | None = None
) -> Status:
    values = {"charts/episodic_return": score, "intrinsic/mean": bonus, "atari/rooms_total": rooms}
    return Status(env_steps, values={name: v for name, v in values.items() if v is not None})


def run_for_a_while(progress: Progress, clock: FakeClock, *, total: int = 60) -> None:
    for second in range(total + 1):
        clock.now = 1000.0 + second
        progress.update(status(1200 * second, score=-132.44, bonus=0.01234, rooms=24))


def view(total: int, skip: int, state: Status, rate: float | None) -> View:
    return View("demo", state, total, skip, 60.0, rate, "", {})


@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 100, 120])
def test_the_line_of_a_small_terminal_never_reaches_its_edge(width: int) -> None:
    state = status(72_000, score=-132.44, bonus=0.01234, rooms=24)
    assert 0 < len(live_line(view(491_520_000, 4, state, 1200.0), width)) < width


def test_the_line_at_80_columns_says_what_matters() -> None:
    state = status(72_000, score=-132.44, bonus=0.01234, rooms=24)
    assert live_line(view(491_520_000, 4, state, 1200.0), 80).plain == (
        "0.0% 72.0k/492M  4800 fps  ETA 4d17h  return -132.4  bonus 0.0123  rooms 24"
    )
    assert "4800 fps  1200 steps/s" in live_line(view(491_520_000, 4, state, 1200.0), 120).plain


def test_without_frame_skip_the_line_has_one_rate_in_env_steps() -> None:
    state = status(72_000, score=-132.44, bonus=0.01234, rooms=24)
    assert live_line(view(72_000, 1, state, 1200.0), 80).plain == (
        "100.0% 72.0k/72.0k  1200 steps/s  ETA 0s  return -132.4  bonus 0.0123  rooms 24"
    )


def test_a_phase_and_what_is_no_number_on_the_line() -> None:
    warm_up = Status(0, phase="warm-up 3/50")
    assert live_line(view(1000, 1, warm_up, None), 80).plain == "warm-up 3/50  0.0% 0/1000  ETA --"
    state = status(10, score=float("nan"))
    assert live_line(view(1000, 1, state, None), 80).plain == "1.0% 10/1000  ETA --"


def warm_up_for_a_while(progress: Progress, clock: FakeClock) -> None:
    """Play 12 of 50 rollouts of 600 env steps at random, one in two seconds."""
    for index in range(13):
        clock.now = 1000.0 + 2 * index
        play = RandomPlay(600 * index, 600 * 50)
        progress.update(Status(0, phase=f"warm-up {index}/50", random_play=play))


def test_the_warm_up_has_a_speed_and_an_end_of_its_own_in_plain_lines() -> None:
    file, clock = File(), FakeClock()
    with Progress(72_000, 4, console=file.console, clock=clock) as progress:
        warm_up_for_a_while(progress, clock)
        clock.now += 5
        progress.update(status(1200))
        clock.now += 5
        progress.update(status(2400))
    assert file.lines()[:3] == [
        "[0s] warm-up 0/50, 0 of 30,000 env steps of random play (0.0%)",
        "[10s] warm-up 5/50, 3,000 of 30,000 env steps of random play (10.0%), 1,200 frames/s, "
        "300 env steps/s, ETA 1m30s",
        "[20s] warm-up 10/50, 6,000 of 30,000 env steps of random play (20.0%), 1,200 frames/s, "
        "300 env steps/s, ETA 1m20s",
    ]
    assert "2,400 of 72,000 env steps (3.3%)" in file.lines()[-1]
    assert "240 env steps/s" in file.lines()[-1]  # nothing of the warm-up's


def test_the_warm_up_has_a_speed_and_an_end_of_its_own_on_the_screen() -> None:
    terminal, clock = Terminal(100, 24), FakeClock()
    with Progress(72_000, 4, console=console_on(terminal), clock=clock) as progress:
        warm_up_for_a_while(progress, clock)
        text = "\n".join(terminal.lines())
    assert "24.0%  ETA 1m16s" in text
    assert "7200 of 30.0k env steps of random play  1,200 frames/s" in text
    assert "warm-up 12/50" in text


def test_a_terminal_is_drawn_on_twice_a_second_and_keeps_the_last_state() -> None:
    terminal, clock = Terminal(80, 24), FakeClock()
    written: list[float] = []
    terminal.on_write = lambda: written.append(clock.now)
    with Progress(72_000, 4, console=console_on(terminal), clock=clock) as progress:
        for tick in range(1000):
            clock.now = 1000.0 + tick / 100
            progress.update(status(tick))
            progress.tick("learning")
    assert 19 <= len(set(written)) <= 22
    assert "999 of 72.0k env steps" in "\n".join(terminal.lines())
    assert terminal.cursor_is_shown


def test_between_updates_the_screen_says_what_is_done() -> None:
    terminal, clock = Terminal(80, 24), FakeClock()
    with Progress(1000, 1, console=console_on(terminal), clock=clock) as progress:
        progress.tick("collecting")  # before the first state there is nothing to draw
        progress.update(status(10))
        clock.now += 30
        progress.tick("learning")
        text = "\n".join(terminal.lines())
    assert "learning" in text
    assert " 30s" in text


def test_another_thread_draws_nothing() -> None:
    terminal, clock = Terminal(80, 24), FakeClock()
    with Progress(1000, 1, console=console_on(terminal), clock=clock) as progress:
        progress.update(status(10))
        before = terminal.lines()
        clock.now += 30
        thread = threading.Thread(target=progress.tick, args=("learning",))
        thread.start()
        thread.join()
        assert terminal.lines() == before


def test_nothing_is_drawn_after_the_end() -> None:
    terminal, clock = Terminal(80, 24), FakeClock()
    progress = Progress(1000, 1, console=console_on(terminal), clock=clock)
    progress.update(status(10))
    progress.close()
    before = terminal.lines()
    clock.now += 30
    progress.tick("collecting")
    progress.close()
    assert terminal.lines() == before
    progress.message("the end")
    assert terminal.lines()[-2:] == ["the end", ""]


def test_a_file_gets_a_line_in_ten_seconds_and_the_first_and_the_last() -> None:
    file, clock = File(), FakeClock()
    with Progress(72_000, 4, console=file.console, clock=clock) as progress:
        run_for_a_while(progress, clock, total=34)
    times = [line.split("]")[0] for line in file.lines()]
    assert times == ["[0s", "[10s", "[20s", "[30s", "[34s"]
    assert file.lines()[-1] == (
        "[34s] train, 40,800 of 72,000 env steps (56.7%), 4,800 frames/s, 1,200 env steps/s, "
        "ETA 26s, return of the last 100 episodes -132.4, intrinsic reward 0.0123, rooms 24"
    )


def test_a_file_gets_a_line_in_half_a_minute_where_an_update_takes_longer() -> None:
    """Also before the first one, as in a run without a warm-up."""
    file, clock = File(), FakeClock()
    with Progress(1000, 1, 40, console=file.console, clock=clock) as progress:
        for second in range(1, 101):
            clock.now = 1000.0 + second
            progress.tick("collecting" if second < 60 else "learning")
            if second == 70:
                progress.update(status(50))
    assert file.lines() == [
        "[30s] train, collecting, 40 of 1,000 env steps (4.0%)",
        "[1m00s] train, learning, 40 of 1,000 env steps (4.0%)",
        "[1m10s] train, 50 of 1,000 env steps (5.0%), 0.14 frames/s, 0.14 env steps/s, ETA 1h50m",
        "[1m40s] train, learning, 50 of 1,000 env steps (5.0%), 0.14 frames/s, 0.14 env steps/s, "
        "ETA 1h50m",
    ]


def test_the_last_line_is_not_repeated_at_the_end() -> None:
    file, clock = File(), FakeClock()
    progress = Progress(100, 1, console=file.console, clock=clock)
    progress.update(status(100))
    progress.close()
    progress.close()
    assert len(file.lines()) == 1


def test_the_rate_follows_the_last_half_minute() -> None:
    file, clock = File(), FakeClock()
    with Progress(10**6, 1, console=file.console, clock=clock) as progress:
        run_for_a_while(progress, clock)
        for second in range(61, 121):
            clock.now = 1000.0 + second
            progress.update(status(72_000 + 10 * (second - 60)))
    assert ", 10 env steps/s" in file.lines()[-1]


def test_slow_updates_have_a_rate_too() -> None:
    file, clock = File(), FakeClock()
    with Progress(10**6, 1, console=file.console, clock=clock) as progress:
        for update in range(5):
            clock.now = 1000.0 + 100 * update
            progress.update(status(500 * update))
    assert ", 5 env steps/s" in file.lines()[-1]


def test_a_resumed_runs_rate_does_not_count_what_was_done_before() -> None:
    file, clock = File(), FakeClock()
    with Progress(10**6, 1, 500_000, console=file.console, clock=clock) as progress:
        clock.now += 10
        progress.update(status(500_100))
    assert "500,100 of 1,000,000 env steps (50.0%)" in file.lines()[-1]
    assert ", 10 env steps/s" in file.lines()[-1]


def test_a_message_stands_on_its_own_line_as_it_is_written() -> None:
    message = "saved [bold]a[/bold].ckpt " + "x" * 100
    file, terminal = File(), Terminal(200, 24)
    for console in (file.console, console_on(terminal)):
        with Progress(1000, 1, console=console, clock=FakeClock()) as progress:
            progress.update(status(10))
            progress.message(message)
    assert message in file.lines()
    assert message == terminal.lines()[0]


def test_an_error_inside_still_ends_the_screen() -> None:
    terminal = Terminal(80, 24)

    def fail() -> None:
        with Progress(1000, 1, console=console_on(terminal), clock=FakeClock()) as progress:
            progress.update(status(10))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert terminal.cursor_is_shown


def test_the_null_reporter_takes_the_same_calls(capsys: pytest.CaptureFixture[str]) -> None:
    progress: ProgressReporter = NullProgress()
    progress.update(Status(1))
    progress.tick("learning")
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
