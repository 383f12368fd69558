"""Series as filled curves of one or more rows of characters."""

from collections.abc import Sequence

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"


def sparkline(
    values: Sequence[float], rows: int = 1, *, from_zero: bool = False, only_ascii: bool = False
) -> list[str]:
    """Return `rows` lines of len(values) characters, the highest first.

    The lowest value (or zero, if `from_zero`) fills one eighth of the lowest row, the highest value
    fills all rows; a series that does not move is drawn at half height.
    """
    letters = ASCII if only_ascii else BLOCKS
    steps = 8 * rows
    heights = _heights(values, steps, from_zero=from_zero)
    return [
        "".join(letters[min(max(height - 8 * row, 0), 8)] for height in heights)
        for row in reversed(range(rows))
    ]


def _heights(values: Sequence[float], steps: int, *, from_zero: bool) -> list[int]:
    """Return the number of eighths [1, steps] that each value fills."""
    if not values:
        return []
    low = 0.0 if from_zero else min(values)
    span = max(values) - low
    if span <= 0:
        return [steps // 2] * len(values)
    return [1 + round((value - low) / span * (steps - 1)) for value in values]
