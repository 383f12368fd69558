"""From a quantity to a place in a picture, evenly or by its logarithm, and its marks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.figures.ticks import round_numbers
from training.reports.rows import Values

_MOST_DECADES = 6
_ROUNDING = 1e-9  # what differs by less is drawn as one value


@dataclass(frozen=True)
class Scale:
    """Lays values of [low, high] onto pixels from `start` to `end`; low < high.

    Attributes:
        logarithmic: by the logarithm; low > 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, values: Values) -> Values:
        """Return the pixels of values [n]; one that is outside lies outside."""
        low, high = self._level(np.array([self.low, self.high]))
        share = (self._level(values) - low) / (high - low)
        return np.asarray(self.start + share * (self.end - self.start), np.float64)

    def marks(self, count: int = 5) -> list[tuple[float, float]]:
        """Return round values of the scale and their pixels; `count` of them, about."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            stride = max(1, -(-(last - first + 1) // count))
            between = (1,) if last - first > 1 else (1, 2, 5)
            powers = range(first - len(between) + 1, last + 1, stride)
            values = [factor * 10.0**power for power in powers for factor in between]
            values = [value for value in values if self.low <= value <= self.high]
        else:
            values = round_numbers(self.low, self.high, count)
        places = self.place(np.array(values, np.float64))
        return list(zip(values, places.tolist(), strict=True))

    def _level(self, values: Values) -> Values:
        if not self.logarithmic:
            return values
        return np.asarray(np.log10(np.maximum(values, self.low * 1e-3)), np.float64)


def linear_scale(values: Sequence[Values], start: float, end: float) -> Scale:
    """Return a scale with all of `values` on it, and a little room."""
    low, high = _extremes(values)
    flat = high - low <= _ROUNDING * max(abs(low), abs(high))
    room = (0.5 * abs(high) or 0.5) if flat else 0.06 * (high - low)
    return Scale(low - room, high + room, start, end)


def logarithmic_scale(values: Sequence[Values], start: float, end: float) -> Scale:
    """Return a scale by decades; an even one where values span less than one or lie below 0."""
    low, high = _extremes(values)
    if high <= 0:
        return linear_scale(values, start, end)
    positive = [part[part > 0] for part in values]
    low = max(_extremes(positive)[0], high * 10.0**-_MOST_DECADES)
    if high / low < 10:
        return linear_scale(values, start, end)
    return Scale(low / 1.3, high * 1.3, start, end, logarithmic=True)


def _extremes(values: Sequence[Values]) -> tuple[float, float]:
    filled = [part for part in values if len(part)]
    if not filled:
        return 0.0, 1.0
    return min(float(part.min()) for part in filled), max(float(part.max()) for part in filled)
