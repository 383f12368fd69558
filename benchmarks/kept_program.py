"""A program that is started here and ends with this process, and with it all that it has started.

It is started by a keeper (workers/processes/keeper.py).
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from workers.processes import keeper
from workers.processes.spawning import kept_command


class KeptProgram(subprocess.Popen[Any]):
    """A program in a process group of its own; `pid` is its keeper's, which ends as it did."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        super().__init__(kept_command(command), **options)

    def send_signal(self, sig: int) -> None:
        """Send a signal to the program and to what it has started in its process group."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, sig)
            except ProcessLookupError:  # it has just begun
                super().send_signal(sig)

    def kill(self) -> None:
        """End the program at once, and all that it has started."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, keeper.END)


def run_kept(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end and return what it said; an interrupt ends it and all it started."""
    pipe = subprocess.PIPE
    with KeptProgram(command, stdout=pipe, stderr=pipe, text=True, **options) as program:
        try:
            said = program.communicate()
        except BaseException:
            program.kill()
            raise
    return subprocess.CompletedProcess(command, program.returncode, *said)
