"""A thread that writes episodes while the environments step."""

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from trajectories.episode import Episode
from trajectories.writer import ShardWriter

MOST_WAITING = 256_000_000  # bytes of episodes; whoever brings more waits
SECONDS_PER_SHARD = 600.0  # after which a shard is closed, however small: a kill costs no more


class WritingThread:
    """Writes the episodes that it is brought, in their order; a context manager.

    Compression leaves Python's lock alone, so that it takes a core beside the one that steps.

    Attributes:
        num_bytes: written so far.
    """

    def __init__(self, writer: ShardWriter) -> None:
        """Take a writer; nobody else may use it until the end."""
        self.num_bytes = 0
        self._writer = writer
        self._waiting: deque[tuple[Callable[[], Episode], int]] = deque()
        self._waiting_bytes = 0
        self._is_closing = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="writing episodes", daemon=True)
        self._thread.start()

    def put(self, make: Callable[[], Episode], num_bytes: int) -> None:
        """Let an episode be written; wait where too many do.

        Args:
            make: returns the episode; called in the thread.
            num_bytes: the memory that waits with it.

        Raises:
            ScoutError: what the thread met: a full disk, say.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._waiting_bytes < MOST_WAITING)
            self._raise_error()
            self._waiting.append((make, num_bytes))
            self._waiting_bytes += num_bytes
            self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, close the open shard, and end.

        Raises:
            ScoutError: what the thread met.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()
        self._raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._write_all()
        except BaseException as error:  # noqa: BLE001 - raised where episodes are brought
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _write_all(self) -> None:
        shard_since = time.monotonic()
        with self._writer:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closing or self._waiting)
                    if not self._waiting:
                        return
                    make, num_bytes = self._waiting[0]
                self._writer.add(make())
                if time.monotonic() - shard_since > SECONDS_PER_SHARD:
                    self._writer.flush()
                    shard_since = time.monotonic()
                self.num_bytes = self._writer.num_bytes
                with self._changed:
                    self._waiting.popleft()
                    self._waiting_bytes -= num_bytes
                    self._changed.notify_all()
