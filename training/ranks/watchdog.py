"""Ends a rank that hangs. A hang outside of collectives meets no other deadline."""

import os
import threading
import time
from collections.abc import Callable
from typing import Self

from configs.errors import PeerLostError

LOOK_EVERY = 0.5  # seconds
STOPPED = 1.0  # seconds more than asked for in a wait show that this process was stopped
GRACE = 5.0  # seconds beyond all other deadlines, whose errors say more
LAST_WORDS = 5.0  # seconds for them: it may be the disk that hangs


class Watchdog:
    """Watches over this process while it is entered, in a thread of its own.

    A C call that keeps the interpreter's lock cannot be seen from here; the peers of its rank give
    it up after the time for collectives.

    Args:
        seconds: without a `kick`, after which the process leaves with the code of a lost peer.
        start_seconds: the same until the first `kick`.
        last_words: called before that, with the seconds of silence.
    """

    def __init__(
        self, seconds: float, start_seconds: float, last_words: Callable[[float], None]
    ) -> None:
        self._seconds = seconds
        self._limit = start_seconds
        self._last_words = last_words
        self._heard = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._heard = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def kick(self) -> None:
        """Say that this process goes on."""
        self._heard = time.monotonic()
        self._limit = self._seconds

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._is_over.wait(LOOK_EVERY):
            now = time.monotonic()
            if now - before > LOOK_EVERY + STOPPED:  # by Ctrl-Z, say, and fg
                self._heard = now
            before = now
            if now - self._heard > self._limit:
                self._leave(now - self._heard)

    def _leave(self, silence: float) -> None:
        speaker = threading.Thread(target=self._last_words, args=(silence,), daemon=True)
        try:
            speaker.start()
            speaker.join(LAST_WORDS)
        finally:
            os._exit(PeerLostError.exit_code)
