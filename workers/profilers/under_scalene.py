"""What Scalene needs to see rollouts, and workers too.

Scalene profiles a child process if its command line goes through Scalene. It takes spawned workers
out, which it knows by their command line: signals in the middle of a message once lost it. Here the
interpreter repeats what a signal cut short, so workers are started with other words of the same
meaning.
"""

import multiprocessing.spawn
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

_END_OF_FLAGS = "---"


def is_under_scalene() -> bool:
    """Whether Scalene runs this process."""
    return "scalene.scalene_profiler" in sys.modules and _END_OF_FLAGS in sys.orig_argv


def follow_into_workers() -> None:
    """Let Scalene profile the worker processes that are started from here on."""
    resource_tracker.ensure_running()  # it is no worker
    flags = _flags()
    if not any(flag.startswith("--pid") for flag in flags):
        flags.append(f"--pid={os.getpid()}")
    # Not sys.executable, which may be Scalene's shell script: the worker would be its child.
    python = Path(sys.exec_prefix, "bin", "python{}.{}".format(*sys.version_info))

    def command_line(**arguments: int) -> list[str]:
        words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        program = f"import multiprocessing.spawn as spawn; spawn.spawn_main({words})"
        return [str(python), *flags, _END_OF_FLAGS, "-c", program, "--multiprocessing-fork"]

    multiprocessing.spawn.set_executable(str(python))
    multiprocessing.spawn.get_command_line = command_line


@contextmanager
def sampled() -> Iterator[None]:
    """Begin to profile here where Scalene was started with --off, and end at the block's end.

    Threads that only wait do not count: Scalene shares a sample's time out among all threads.
    """
    from scalene import scalene_profiler  # noqa: PLC0415 - for profiling runs alone

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.ident is not None:
            scalene_profiler.Scalene.set_thread_sleeping(thread.ident)
    if "--off" not in _flags():
        yield
        return
    scalene_profiler.start()
    try:
        yield
    finally:
        scalene_profiler.stop()


def _flags() -> list[str]:
    """Return what this process was started with, up to the program under Scalene."""
    return sys.orig_argv[1 : sys.orig_argv.index(_END_OF_FLAGS)]
