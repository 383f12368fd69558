"""The wish to stop: set by a signal, looked at where stopping is safe."""

import os
import signal
import time
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
ONE_WISH_SECONDS = 1.0


class StopRequest:
    """Set by the first SIGTERM, SIGINT or SIGUSR1; a later one ends the process at once.

    Signals within a second are one wish: torchrun passes on what a terminal has already sent to
    every process.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._since = 0.0

    def install(self) -> None:
        """Take over the signals; from the main thread only."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal_name is not None

    def ignore_signals(self) -> None:
        """Take no more wishes: the run is over and everything is written."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal_name is None:
            self.signal_name = signal.Signals(number).name
            self._since = time.monotonic()
        elif time.monotonic() - self._since > ONE_WISH_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
