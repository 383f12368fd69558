"""Curves made readable: a mean over a stretch of the run, a common grid, fewer points."""

import itertools
from collections.abc import Sequence

import numpy as np

from training.reports.rows import Curve, Values

SHARE = 20  # of a run's points, one part is averaged around each


def smoothed(values: Values) -> Values:
    """Return the mean of the points around each, [n]: a twentieth of all, fewer at the ends."""
    n = len(values)
    reach, places = max(1, n // (2 * SHARE)), np.arange(n)
    low, high = np.maximum(places - reach, 0), np.minimum(places + reach + 1, n)
    # Sums of what differs from the first value: a curve that is flat stays so to the last bit.
    sums = np.concatenate([[0.0], np.cumsum(values - values[0])])
    return np.asarray(values[0] + (sums[high] - sums[low]) / (high - low), np.float64)


def on_grid(curves: Sequence[Curve], points: int) -> tuple[Values, Values]:
    """Return env steps that all curves reach, [P], and each curve's values there, [R, P].

    Between two points of a curve lies a straight line.

    Args:
        curves: of runs, each with a point at least.
        points: P, of the grid; 0 points come back where the curves have no env step in common.
    """
    first = max(steps[0] for steps, _ in curves)
    last = min(steps[-1] for steps, _ in curves)
    if last < first:
        return np.zeros(0), np.zeros((len(curves), 0))
    grid = np.linspace(first, last, points if last > first else 1)
    return grid, np.array([np.interp(grid, steps, values) for steps, values in curves])


def thinned(points: Curve, most: int) -> Curve:
    """Return a curve with about `most` points that keeps its peaks: both extremes of each piece."""
    steps, values = points
    n = len(values)
    if n <= most:
        return points
    edges = np.linspace(0, n, max(1, most // 2) + 1).astype(np.int64)
    kept = {0, n - 1}
    for low, high in itertools.pairwise(edges):
        piece = values[low:high]
        kept |= {int(low + piece.argmin()), int(low + piece.argmax())}
    order = np.array(sorted(kept))
    return steps[order], values[order]
