"""Straight lines through what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x.

    Attributes:
        residual: the largest distance of a measured y from the line.
    """

    intercept: float
    slope: float
    residual: float

    def at(self, x: float) -> float:
        """Return y."""
        return self.intercept + self.slope * x


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Return the line of least squares.

    Args:
        x, y: [n] each.

    Raises:
        ValueError: there are not two different x.
    """
    if len(set(x)) < 2:
        raise ValueError("a line needs points at two places")
    columns = np.stack([np.ones(len(x)), np.asarray(x, np.float64)], axis=1)
    values = np.asarray(y, np.float64)
    (intercept, slope), *_ = np.linalg.lstsq(columns, values, rcond=None)
    residual = np.abs(values - columns @ (intercept, slope)).max()
    return Line(float(intercept), float(slope), float(residual))
