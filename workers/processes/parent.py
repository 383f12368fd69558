"""A process that does not outlive the one that started it."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent's thread that started it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def die_with_torchrun() -> None:
    """End this rank with torchrun, should that be killed; it would train on as an orphan.

    To be called before torch is imported: the kernel says nothing of a parent that died earlier,
    and the import takes seconds.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    parent = os.getppid()
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
