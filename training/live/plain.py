"""Where the output is no terminal, or a dumb one: a line of text now and then."""

from rich.console import Console

from training.live.status import View, headline_figure
from training.live.subject import PLAY
from training.live.words import duration, percent, speed


class PlainLines:
    """Prints a view as one line.

    Attributes:
        pause: seconds between two lines, at least.
        longest_silence: seconds after which a line says that all goes on, between two updates.
        is_in_place: whether drawing again replaces what was drawn.
    """

    pause = 10.0
    longest_silence = 30.0
    is_in_place = False

    def __init__(self, console: Console) -> None:
        self._console = console

    def draw(self, view: View) -> None:
        """Print the line."""
        print_line(self._console, plain_line(view))

    def close(self) -> None:
        """There is nothing to end."""


def plain_line(view: View) -> str:
    """Return what matters of a view in one line."""
    status = view.status
    parts = [
        f"[{duration(view.elapsed)}] {status.phase}",
        *([view.activity] if view.activity else []),
        f"{view.done:,} of {view.total:,} {view.unit} ({percent(view.done, view.total)})"
        if view.total
        else f"{view.done:,} {view.unit}",
    ]
    rate, remaining = view.steps_per_second, view.remaining
    if rate is not None and remaining is not None:
        if view.subject is PLAY:
            parts.append(f"{speed(rate * view.frame_skip)} frames/s")
        parts.append(f"{speed(rate)} {view.subject.unit}/s")
        parts.append(f"ETA {duration(remaining)}")
    for headline in view.subject.headlines:
        value = headline_figure(status, headline)
        if value:
            parts.append(f"{headline.title} {value}")
    return ", ".join(parts)


def print_line(console: Console, text: str) -> None:
    """Print a text as it is written, on one line however narrow the console."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
