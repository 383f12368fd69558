"""What an axis by decades has no place for: marked at its lower edge, and counted in words."""

from collections.abc import Iterator, Sequence

import numpy as np

from training.reports.markup import Markup, coordinate, element
from training.reports.rows import Curve
from training.reports.scale import Scale

APART = 6.0  # pixels between two marks at least
MARK = "▽"


def below(curve: Curve, up: Scale) -> Curve:
    """Return the points of a curve that lie below an axis by decades: 0, less, or too little."""
    steps, values = curve
    off = values < up.low if up.logarithmic else np.zeros(len(values), np.bool_)
    return steps[off], values[off]


def marks_below(curve: Curve, across: Scale, up: Scale, style: str) -> Iterator[Markup]:
    """Yield a mark at the axis where a curve lies below it.

    Args:
        curve: of a run or group.
        across, up: the chart's scales.
        style: the classes of its colour.
    """
    steps, _ = below(curve, up)
    for place in np.unique(np.round(across.place(steps) / APART)) * APART:
        x, top = coordinate(float(place) - 4), coordinate(up.start - 7)
        yield element("path", d=f"M{x},{top}h8l-4,7z", class_=f"below {style}")


def words_below(curves: Sequence[Curve], up: Scale) -> str:
    """Return how many points of the curves lie below the axis, in words; "" = none."""
    count = sum(len(below(curve, up)[0]) for curve in curves)
    total = sum(len(steps) for steps, _ in curves)
    if not count:
        return ""
    return f"{MARK} {count:,} of {total:,} values are 0 or less, or too small for this axis"
