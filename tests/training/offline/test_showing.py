"""What is shown of training on a dataset: one line, a screen, rows, and warnings in words."""

import io
from itertools import count

import pytest
import torch
from rich.console import Console

from agents.encoders.objective import Pictures
from training.live.encoding_progress import EncodingProgress
from training.live.history import SPEED, Series
from training.live.layout import lay_out
from training.live.line import live_line
from training.live.plain import plain_line
from training.live.status import Status, View
from training.offline.pictures import sheet
from training.offline.showing import SUBJECT

VALUES = {
    "losses/total": 31.4159,
    "validation/loss": 33.2,
    "losses/grad_norm": 12.0,
    "representation/effective_rank": 7.55,
}


@pytest.fixture
def view() -> View:
    history = {name: Series() for name in (*VALUES, SPEED)}
    for name, series in history.items():
        for value in (1.0, 2.0, 3.0):
            series.add(value * VALUES.get(name, 1.0))
    return View(
        title="runs/vae  vae  data/car",
        status=Status(500, 500, values=VALUES),
        total_env_steps=2_000,
        frame_skip=1,
        elapsed=65.0,
        steps_per_second=10.0,
        activity="learning",
        history=history,
        subject=SUBJECT,
    )


def test_a_plain_line_counts_steps_and_says_how_long_it_takes(view: View) -> None:
    assert plain_line(view) == (
        "[1m05s] train, learning, 500 of 2,000 steps (25.0%), 10 steps/s, ETA 2m30s, loss 31.4, "
        "held-out loss 33.2, directions filled 7.55"
    )


def test_a_narrow_terminal_shows_the_same_in_few_words(view: View) -> None:
    line = live_line(view, 100).plain
    assert (
        line == "25.0% 500/2000  10 steps/s  ETA 2m30s  loss 31.4  held out 33.2  directions 7.55"
    )


def test_the_screen_has_its_curves_and_losses_and_no_word_of_environments(view: View) -> None:
    shown = "\n".join(line.plain for line in lay_out(view, 120, 30))
    assert "held-out loss" in shown
    assert "directions filled" in shown
    assert "gradient 12.0" in shown
    assert "10 steps/s" in shown
    assert "env" not in shown


def test_originals_drawings_and_differences_stand_below_each_other() -> None:
    original, made = torch.zeros(2, 3, 4, 5), torch.ones(2, 3, 4, 5)
    made[1] = 0.0
    picture = sheet(Pictures(original, made))
    assert picture.shape == (3 * 4, 2 * 5, 3)
    assert picture[:4].max() == 0
    assert picture[4:8, :5].min() == 255
    assert picture[4:8, 5:].max() == 0
    assert picture[8:, :5].min() == 255
    assert sheet(Pictures(original[:, :2], made[:, :2])).shape == (12, 10, 1)


def encoded(*, terminal: bool, silent: bool = False) -> str:
    """Return what is printed while an episode of 50 observations is encoded every 4 seconds."""
    stream, ticks = io.StringIO(), count()
    console = Console(file=stream, force_terminal=terminal, width=120)
    clock = lambda: 4.0 * next(ticks)  # noqa: E731
    with EncodingProgress(8, is_silent=silent, console=console, clock=clock) as progress:
        progress.count(0)  # it was there
        for _ in range(5):
            progress.count(50)
    return stream.getvalue()


def test_encoding_says_how_far_it_is_and_how_long_it_takes() -> None:
    first, second = encoded(terminal=False).splitlines()
    assert first == "encoded 3 of 8 episodes (37.5%), 8 observations/s, ETA 30s"
    assert second == "encoded 6 of 8 episodes (75.0%), 10 observations/s, ETA 10s"
    assert "encoded 6 of 8 episodes" in encoded(terminal=True)
    assert encoded(terminal=False, silent=True) == ""
