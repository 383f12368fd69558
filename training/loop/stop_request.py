"""The wish to stop: set by a signal, looked at where stopping is safe."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from workers.processes.interrupts import ONE_WISH_SECONDS, STOP_SIGNALS

GRACE_SECONDS = 1.0  # for Python's own handler, before a thread takes its place

Word = Callable[[str], None]


class StopRequest:
    """Set by the first of the stop signals; a later one ends the process at once.

    Signals within a second are one wish: torchrun passes on what a terminal has already sent to
    every process. A signal that was ignored at the start stays ignored: nohup asks for that.

    Python's handlers run between two of its own steps: not while the process waits in C, for a peer
    say. So a thread sees to it that a later signal ends the process there too.

    Attributes:
        signal_name: of the first signal.
        last_words: told the name of a later signal, before it ends the process.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.last_words: Word | None = None
        self._leave: Word | None = None
        self._leaving = threading.Lock()
        self._taken: tuple[signal.Signals, ...] = ()
        self._since = 0.0
        self._writer = -1
        self._thread: threading.Thread | None = None

    def install(self) -> None:
        """Take over the signals; from the main thread only."""
        self._taken = tuple(n for n in STOP_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN)
        for number in self._taken:
            signal.signal(number, self._handle)
        reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        name = "second signal"
        self._thread = threading.Thread(target=self._follow, args=(reader,), name=name, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """End the thread: from here on Python's handlers are alone again."""
        if self._thread is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._writer)
            self._thread.join()
            self._thread = None

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.signal_name is not None

    def ignore_signals(self) -> None:
        """Take no more wishes: the run is over and everything is written."""
        for number in self._taken:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def leaving_at_once(self, leave: Word) -> Iterator[None]:
        """Let the first signal end the process within the block, which waits in C for others.

        Args:
            leave: says why, by the signal's name, and ends the process.
        """
        self._leave = leave
        if self.signal_name is not None:
            self._leave_once(self.signal_name)
        try:
            yield
        finally:
            self._leave = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal_name is None:
            self._since = time.monotonic()
            self.signal_name = signal.Signals(number).name
        elif time.monotonic() - self._since > ONE_WISH_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            self._say(number)
            os.kill(os.getpid(), number)

    def _follow(self, reader: int) -> None:
        """Read the numbers of signals as they come; leave if the main thread does not."""
        first: float | None = None
        with open(reader, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] not in STOP_SIGNALS:
                    continue
                now = time.monotonic()
                if first is None:
                    first = now
                    if self._leave is not None:
                        self._leave_once(signal.Signals(number[0]).name)
                elif now - first > ONE_WISH_SECONDS:
                    time.sleep(GRACE_SECONDS)
                    self._say(number[0])
                    os._exit(128 + number[0])

    def _leave_once(self, name: str) -> None:
        """Leave; whoever comes second waits for the end: one signal is seen by two threads."""
        with self._leaving:
            if self._leave is not None:
                self._leave(name)

    def _say(self, number: int) -> None:
        """Leave the last words, unless the disk takes them for ever."""
        if self.last_words is not None:
            words = (signal.Signals(number).name,)
            speaker = threading.Thread(target=self.last_words, args=words, daemon=True)
            speaker.start()
            speaker.join(GRACE_SECONDS)
