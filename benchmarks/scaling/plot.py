"""A picture of what work costs as it grows: points, and the lines through them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drawing import PANEL_SIZE, load_matplotlib
from benchmarks.scaling.curves import QUANTITIES, Point, readable
from benchmarks.scaling.fit import fit_line
from configs.errors import StorageError

DRAWN = ("CPU us per env step", "CPU s per update", "MB")
ROOM_ABOVE = 1.1


def draw(points: Sequence[Point], path: Path) -> None:
    """Write a PNG with a row of panels per sweep.

    Raises:
        ConfigurationError: matplotlib is not installed.
        StorageError: it cannot be written.
    """
    names = list(dict.fromkeys(point.sweep for point in points))
    size = (PANEL_SIZE[0] * len(DRAWN), PANEL_SIZE[1] * len(names))
    figure: Any = load_matplotlib().Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(names), len(DRAWN), squeeze=False)
    for row, name in zip(panels, names, strict=True):
        own = [point for point in points if point.sweep == name]
        for axis, quantity in zip(row, DRAWN, strict=True):
            _draw_panel(axis, own, quantity)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _draw_panel(axis: Any, points: Sequence[Point], quantity: str) -> None:
    x = [float(point.value) for point in points]
    y = [QUANTITIES[quantity](point.timing) for point in points]
    line = fit_line(x, y)
    ends = [min(x), max(x)]
    axis.plot(x, y, "o", color="C0")
    axis.plot(ends, [line.at(end) for end in ends], "--", color="C1")
    sign = "-" if line.slope < 0 else "+"
    numbers = f"{readable(line.intercept)} {sign} {readable(abs(line.slope))}"
    axis.set_title(f"{quantity} = {numbers} x {points[0].sweep}")
    axis.set_xlabel(points[0].sweep)
    axis.set_ylim(0, ROOM_ABOVE * max(y))
    axis.grid(alpha=0.3)
