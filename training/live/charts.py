"""The curves of the screen: what is drawn, and how."""

from collections.abc import Sequence

from rich.text import Text

from training.live.sparkline import sparkline
from training.live.status import View
from training.live.subject import Chart
from training.live.words import figure

_LABELS = 8  # columns of the highest and the lowest value
_GAP = 2  # columns between two curves


def charts_of(view: View, most: int) -> list[Chart]:
    """Return the first `most` curves for which there are points."""
    return [chart for chart in view.subject.charts if chart.name in view.history][:most]


def chart_block(
    charts: Sequence[Chart], view: View, columns: int, rows: int, *, only_ascii: bool
) -> list[Text]:
    """Return the curves side by side: a line of titles and `rows` of curve."""
    width = (columns - _GAP * (len(charts) - 1)) // len(charts)
    drawn = [_draw(chart, view, width, rows, only_ascii=only_ascii) for chart in charts]
    return [Text(" " * _GAP).join(parts) for parts in zip(*drawn, strict=True)]


def _draw(chart: Chart, view: View, width: int, rows: int, *, only_ascii: bool) -> list[Text]:
    """Return one curve as 1 + rows lines of `width` columns."""
    room = max(width - _LABELS - 1, 1)
    points = view.history[chart.name].points(room)
    values = [points[column * len(points) // room] for column in range(room)] if points else []
    value = view.status.values.get(chart.name)
    newest = figure(value)
    if values and value is not None and newest:
        values[-1] = value
    title = Text().append(chart.title, style="dim")
    title.truncate(max(width - len(newest) - 1, 0), pad=True)
    title.append(" ").append(newest, style="bold")
    lines = [title]
    labels = [""] * rows
    if values:
        labels[-1], labels[0] = figure(min(values)), figure(max(values))
    for label, row in zip(labels, sparkline(values, rows, only_ascii=only_ascii), strict=True):
        line = Text().append(f"{label:>{_LABELS}} ", style="dim")
        lines.append(line.append(row.ljust(width - len(line)), style=chart.colour))
    return lines
