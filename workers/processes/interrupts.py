"""Signals that end what saves nothing on the way: an evaluation, an export, a report, a probe.

The first one is raised as `Interrupted` in the main thread, so that files and processes are put in
order; packages are imported undisturbed before. Whoever can stop and save has a StopRequest.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from configs.errors import Interrupted

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT)
ONE_WISH_SECONDS = 1.0
"""Later signals within these are the same wish: torchrun passes on what a terminal sent to all."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a stop signal raise `Interrupted` from the end of this block on, where packages load.

    One that was ignored at the start stays ignored. A second one ends the process at once.
    """
    heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handler = _Handler()
    for number in heard:
        signal.signal(number, handler)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Handler:
    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
            raise Interrupted(number)
        if time.monotonic() - self._first > ONE_WISH_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
