"""Where the time goes: seconds by name, between two readings."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up wall-clock seconds under names."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._since = time.monotonic()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to `name`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] += time.monotonic() - start

    def read(self) -> tuple[float, dict[str, float]]:
        """Return the seconds since the last reading, in all and by name, and start anew."""
        now = time.monotonic()
        elapsed, seconds = now - self._since, dict(self._seconds)
        self._since = now
        self._seconds.clear()
        return elapsed, seconds
