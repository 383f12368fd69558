"""The first lines of the screen: which run, how far it is, how fast."""

from rich.text import Text

from training.live.history import SPEED
from training.live.sparkline import sparkline
from training.live.status import TRAINING, View
from training.live.words import duration, percent, short, speed

_MOST_SPARKS = 24  # columns


def head_lines(view: View, columns: int, *, only_ascii: bool) -> list[Text]:
    """Return three lines: the title, a bar to the end, and the speed."""
    title = Text().append(view.title, style="bold")
    elapsed = f" {duration(view.elapsed)}"
    title.truncate(max(columns - len(elapsed), 0), pad=True, overflow="ellipsis")
    return [
        title.append(elapsed, style="dim"),
        _bar(view, columns, only_ascii=only_ascii),
        _speed(view, columns, only_ascii=only_ascii),
    ]


def _bar(view: View, columns: int, *, only_ascii: bool) -> Text:
    done, total = view.done, view.total
    remaining = "--" if view.remaining is None else duration(view.remaining)
    text = f" {percent(done, total)}  ETA {remaining}"
    width = max(columns - len(text), 0)
    full = round(width * min(done / total, 1.0)) if total else 0
    glyph, rest = ("#", "-") if only_ascii else ("━", "─")
    line = Text().append(glyph * full, style="green").append(rest * (width - full), style="dim")
    return line.append(text, style="bold")


def _speed(view: View, columns: int, *, only_ascii: bool) -> Text:
    """Return how far, how fast, and what is done now; the curve of the speed takes what is left."""
    status, rate, skip = view.status, view.steps_per_second, view.frame_skip
    total = f" of {short(view.total)}" if view.total else ""
    line = Text(f"{short(view.done)}{total} {view.unit}  ")
    if rate is not None:
        unit = "frames/s" if skip > 1 else f"{view.subject.unit}/s"
        line.append(f"{speed(rate * skip)} {unit} ", style="bold")
    doing = view.activity or ("" if status.phase == TRAINING else status.phase)
    doing = f"  update {status.updates:,}" + (f", {doing}" if doing else "")
    room = columns - len(line)
    doing = doing if room >= len(doing) else ""
    if SPEED in view.history:
        sparks = min(max(room - len(doing), 0), _MOST_SPARKS)
        points = view.history[SPEED].points(max(sparks, 1))
        curve = sparkline(points, from_zero=True, only_ascii=only_ascii)[0]
        line.append(curve[:sparks], style="green")
    return line.append(doing.rjust(columns - len(line)), style="dim")
