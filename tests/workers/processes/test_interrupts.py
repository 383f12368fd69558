"""A stop signal ends what saves nothing: once packages are there, and as an exception."""

import subprocess
import sys

from tests.architecture.test_floors import ROOT

# A process of its own: one thread more, as pyarrow starts some, would take the signal instead.
WAITS = """
import os, signal
from configs.errors import Interrupted
from workers.processes.interrupts import ended_by_signals

signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with ended_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        reached = True
    raise AssertionError("nothing was raised")
except Interrupted as interrupt:
    assert reached
    assert interrupt.signal == signal.SIGTERM
os.kill(os.getpid(), signal.SIGTERM)  # the same wish: what is tidied up meanwhile goes on
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
"""


def test_a_signal_while_packages_load_is_raised_after_them_and_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WAITS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
