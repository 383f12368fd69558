"""The wish to stop: set by a signal, looked at where stopping is safe."""

import signal
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopRequest:
    """Set by the first SIGTERM, SIGINT or SIGUSR1; a later one ends the process at once.

    Signals that come within a second belong together: torchrun passes on what a terminal has
    already sent to every process.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def install(self) -> None:
        """Take over the signals; from the main thread only."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal_name is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal_name is None:
            self.signal_name = signal.Signals(number).name
            self._deafen()

    def _deafen(self) -> None:
        """Ignore repeats for a second, then let the next signal end the process."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, self._arm)
        signal.setitimer(signal.ITIMER_REAL, 1.0)

    def _arm(self, number: int, frame: FrameType | None) -> None:
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_DFL)
