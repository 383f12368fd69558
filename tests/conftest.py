"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C and Ctrl-\\ reach the programs under test.

    A shell without job control starts what it puts in the background with SIGINT and SIGQUIT
    ignored, and an ignored signal is inherited by every program started from there.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
