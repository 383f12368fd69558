"""What a benchmark does when it is told to stop: it ends what it has started."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # SIGINT raises by itself


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Let a signal that would end this process at once leave the block as an error does."""
    before = {number: signal.signal(number, _leave) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
