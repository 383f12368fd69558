"""Programs on a terminal of their own, which types Ctrl-C or is closed."""

import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CONTROL_C = b"\x03"
DEADLINE = 250.0  # seconds
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\^C")


class OnTerminal:
    """A program whose controlling terminal is ours."""

    def __init__(self, command: Sequence[str], folder: Path, more: Mapping[str, str]) -> None:
        self._terminal, inner = pty.openpty()
        self._output = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],  # takes the terminal of its standard input
            cwd=folder,
            env=os.environ | {"TERM": "dumb", "OMP_NUM_THREADS": "1"} | dict(more),
            stdin=inner,
            stdout=inner,
            stderr=inner,
        )
        os.close(inner)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """What stands on the terminal, without its controls."""
        return _CONTROLS.sub("", self._output.decode(errors="replace")).rstrip().splitlines()

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def hang_up(self) -> None:
        """Close the terminal: the kernel sends SIGHUP, and nobody reads any more."""
        os.close(self._terminal)
        self._terminal = -1

    def wait(self) -> int:
        """Wait for the program's end, and for all that it has printed; return its code."""
        code = self.process.wait(DEADLINE)
        if self._terminal >= 0:
            self._reader.join(DEADLINE)
        return code

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.02)

    def _read(self) -> None:
        try:
            while data := os.read(self._terminal, 65536):
                self._output += data
        except OSError:  # all programs have left it, or it is closed
            return


@contextmanager
def on_terminal(
    folder: Path, *command: str, more: Mapping[str, str] | None = None
) -> Iterator[OnTerminal]:
    """Start a program that is gone at the block's end in any case."""
    program = OnTerminal(command, folder, more or {})
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()
