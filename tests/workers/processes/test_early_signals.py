"""A Ctrl-C while the program imports is taken by the handler that comes later."""

import subprocess
import sys

from tests.architecture.test_floors import ROOT

# A process of its own: one thread more, as pyarrow starts some, would take the signal instead.
EARLY = """
import os, signal
from workers.processes.early_signals import delay_interrupts, hear_interrupts

heard = []
delay_interrupts()
os.kill(os.getpid(), signal.SIGINT)
assert heard == []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
assert heard == []
hear_interrupts()
assert heard == [signal.SIGINT]
"""


def test_an_early_interrupt_waits_for_the_handler_of_the_run() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", EARLY], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
