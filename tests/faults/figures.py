"""How often faults are repeated, and what came of them.

FAULT_COUNTS=full in the environment repeats each as often as the table in docs/reliability.md says.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

IS_FULL = os.environ.get("FAULT_COUNTS") == "full"


def count(small: int, full: int) -> int:
    """Return how often a fault is repeated in this session."""
    return full if IS_FULL else small


class Trial:
    """One fault: the test notes how long things took, and what kind of fault it was."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.kind = ""

    def took(self, what: str, seconds: float) -> None:
        self.seconds[what] = seconds


@dataclass
class _Figure:
    tried: int = 0
    survived: int = 0
    longest: dict[str, float] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)


class Figures:
    """What a session reached, by the table's row and what was counted."""

    def __init__(self) -> None:
        self._figures: defaultdict[tuple[int, str], _Figure] = defaultdict(_Figure)

    @contextmanager
    def trial(self, row: int, what: str) -> Iterator[Trial]:
        """Count a fault; it was survived if the block ends well."""
        figure, trial = self._figures[row, what], Trial()
        figure.tried += 1
        yield trial
        figure.survived += 1
        figure.kinds[trial.kind] += 1
        for name, seconds in trial.seconds.items():
            figure.longest[name] = max(figure.longest.get(name, 0.0), seconds)

    def add(self, row: int, what: str, survived: int, tried: int) -> None:
        """Count faults that another process went through."""
        figure = self._figures[row, what]
        figure.tried += tried
        figure.survived += survived

    def lines(self) -> list[str]:
        return [_line(row, what, figure) for (row, what), figure in sorted(self._figures.items())]


def _line(row: int, what: str, figure: _Figure) -> str:
    parts = [f"row {row}: {what}: {figure.survived:,} of {figure.tried:,}"]
    kinds = [f"{number} {kind}" for kind, number in sorted(figure.kinds.items()) if kind]
    if kinds:
        parts.append(", ".join(kinds))
    parts += [f"{name} <= {_duration(seconds)}" for name, seconds in figure.longest.items()]
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
