"""A Ctrl-C while the program still imports: it waits for the handler that takes it as a wish.

Packages that try one import after another swallow a KeyboardInterrupt in the midst of it, or fail
in ways of their own.
"""

import signal


def delay_interrupts() -> None:
    """Let SIGINT wait in the kernel until `hear_interrupts`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def hear_interrupts() -> None:
    """Take a SIGINT that has been waiting, and all later ones, by the handler that is there now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
