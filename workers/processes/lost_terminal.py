"""A process that outlives its terminal: what it prints then goes nowhere, and nothing fails.

Nor does a letter that the terminal's encoding lacks: it is shown by its number, as stderr does.
"""

import errno
import io
import sys

from configs.errors import StorageError

TYPE_CHECKING = False  # main.py -h does without typing: see commands/__init__.py
if TYPE_CHECKING:
    from typing import Any, TextIO

# A terminal that was closed; a pipe whose reader has ended.
_NOBODY_READS = (errno.EIO, errno.EPIPE)


class OutputError(StorageError, OSError):
    """What is printed cannot be written; an OSError to whoever minds those alone."""


class _Forgiving(io.FileIO):
    """A descriptor that takes everything once nobody reads any more."""

    def write(self, data: "Any") -> int:
        """Write to the descriptor, or do as if.

        Raises:
            OutputError: it is a file, and its disk is full.
        """
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NOBODY_READS:
                raise OutputError(
                    f"the output cannot be written: {error.strerror}; it goes to a file: make room "
                    "there, or name another one"
                ) from error
            return memoryview(data).nbytes


def outlive_terminal() -> None:
    """Print through streams that do not mind whether anybody still reads."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is not None:  # it was closed from the start
            setattr(sys, name, _forgiving(stream))


def _forgiving(stream: "TextIO") -> "TextIO":
    """Return a stream to the same descriptor, flushed at the end of each line."""
    stream.flush()
    raw = _Forgiving(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=True,
    )
