"""A view on one line, for terminals that are too small for more."""

from rich.text import Text

from training.live.status import TRAINING, View, headline_figure
from training.live.words import duration, percent, short, speed

_Part = tuple[int, str, str, str]  # importance, label in front, value, unit behind


def live_line(view: View, width: int) -> Text:
    """Return the line in less than `width` columns; what matters least is left out first."""
    status, rate, skip = view.status, view.steps_per_second, view.frame_skip
    done, total, unit = view.done, view.total, view.subject.short_unit
    remaining = "--" if view.remaining is None else duration(view.remaining)
    parts: list[_Part] = [
        (9, "", "" if status.phase == TRAINING else status.phase, ""),
        (8, "", f"{percent(done, total)} {short(done)}/{short(total)}", ""),
        (3, "", "" if rate is None or skip == 1 else short(rate * skip), " fps"),
        (
            3 if skip == 1 else 1,
            "",
            "" if rate is None else short(rate) if rate >= 1 else speed(rate),
            f" {unit}/s",
        ),
        (7, "ETA ", remaining, ""),
        *(
            (6 - place, f"{headline.word} ", headline_figure(status, headline), "")
            for place, headline in enumerate(view.subject.headlines)
        ),
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


def _length(part: _Part) -> int:
    return sum(len(text) for text in part[1:])
