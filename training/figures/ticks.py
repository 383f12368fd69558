"""Round numbers for the axes of a picture."""

import math


def round_numbers(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers in [low, high], evenly apart; low < high."""
    rough = (high - low) / (count - 1)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 2.5, 5, 10), key=lambda s: abs(math.log(s * magnitude / rough))) * magnitude
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
