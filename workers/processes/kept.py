"""How a process for other people's code begins: deaf to signals, and gone with its parent."""

import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from types import FrameType

from workers.processes import keeper
from workers.processes.lost_terminal import outlive_terminal
from workers.processes.parent import die_with_parent

UNHEARD_SIGNALS = tuple(keeper.UNHEARD)


def begin_kept(lifeline: "Connection[None, None]") -> None:
    """Hear no signal that ends a run, end with the keeper, and hand no pipe on to programs.

    Args:
        lifeline: a pipe whose other end only the pool's process holds: it closes when that ends.
    """
    die_with_parent()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the list's own is closed already
            if int(name) > 2:
                os.set_inheritable(int(name), False)
    hear_no_signals()
    outlive_terminal()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, UNHEARD_SIGNALS)
    os.register_at_fork(after_in_child=_hear_signals)
    # The kernel's word reaches a process that a C call keeps from running any thread; the life-line
    # comes without the keeper.
    threading.Thread(target=_wait_for_parent, args=(lifeline,), daemon=True).start()
    faulthandler.enable()
    del sys.argv[1:]  # they are the run's: an environment that reads them would stumble


def hear_no_signals() -> None:
    """Do nothing at the signals that end a run: the pool decides when a worker ends.

    By handlers: a signal that is ignored stays so in every program that is started from here, and
    no environment could end its own simulator.
    """
    for number in UNHEARD_SIGNALS:
        signal.signal(number, _do_nothing)
        signal.siginterrupt(number, False)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass


def _hear_signals() -> None:
    """Give a process that is forked from here, without a program of its own, the usual handlers."""
    for number in UNHEARD_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _wait_for_parent(lifeline: "Connection[None, None]") -> None:
    with suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
