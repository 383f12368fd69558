"""A figure's past in bounded memory, from the run's beginning to now."""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

SPEED = "speed"  # of what is counted, per second, over the displays' own window
MOST_POINTS = 512
SpeedOf = Callable[[Mapping[str, float]], float | None]


class Series:
    """The means of stretches of equal length; the stretches double as the run goes on."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._stretch = 1
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Append a value; one that is not finite is left out."""
        if not math.isfinite(value):
            return
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._stretch:
            return
        self._means.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self._means) == MOST_POINTS:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [(first + second) / 2 for first, second in pairs]
            self._stretch *= 2

    def points(self, most: int) -> list[float]:
        """Return the whole past as at most `most` means, the one under way included."""
        values = [*self._means, self._sum / self._count] if self._count else self._means
        if len(values) <= most:
            return list(values)
        edges = [index * len(values) // most for index in range(most + 1)]
        return [sum(values[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]


class History:
    """The series of some figures, by name."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.series: dict[str, Series] = {}

    def add(self, values: Mapping[str, float], speed: float | None) -> None:
        """Take what is watched from a row of figures."""
        for name in self._names:
            if name in values:
                self.series.setdefault(name, Series()).add(values[name])
        if speed is not None:
            self.series.setdefault(SPEED, Series()).add(speed)

    def recall(self, metrics: Path, speed_of: SpeedOf) -> None:
        """Take the rows that a run which is continued has left in its metrics.jsonl.

        Args:
            metrics: the file.
            speed_of: returns the speed that a row tells, in the unit that goes on.
        """
        for line in metrics.read_bytes().splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the file's writer has said so
                continue
            if not isinstance(row, dict):
                continue
            values = {name: value for name, value in row.items() if value is not None}
            self.add(values, speed_of(values))
