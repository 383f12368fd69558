"""Starting and ending a process for other people's code, from outside; kept.py is its inside."""

import multiprocessing
import multiprocessing.spawn
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection as pipes
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from workers.processes import keeper
from workers.processes.kept import UNHEARD_SIGNALS

CHILD_VARIABLES = {  # read once, when the interpreter starts or the libraries are loaded
    "PYTHONHASHSEED": "0",  # else the order of a set of words differs from run to run
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
KILL_GRACE = 5.0  # seconds within which the kernel must have ended a process after SIGKILL


def spawn(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    lifeline: "pipes.Connection[None, None]",
    *,
    name: str,
    transfer_timeout: float,
) -> "tuple[SpawnProcess, pipes.Connection[Any, Any]]":
    """Start a process that calls `target(*arguments, connection, lifeline)`.

    Args:
        target: it calls `begin_kept` first.
        arguments: picklable.
        lifeline: a pipe whose other end this process holds as long as it lives.
        name: of the process.
        transfer_timeout: seconds that reading or writing one message may take.

    Returns:
        the keeper of the process that runs `target`, and the pipe to that process.

    Raises:
        OSError: there is no room for another process.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=target,
        args=(*arguments, theirs, lifeline),
        name=name,
        daemon=False,  # a daemonic process may not have children, and simulators may need some
    )
    try:
        _bound_transfers(ours, transfer_timeout)
        with birth_conditions(), under_keeper():
            process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def describe_exit(process: SpawnProcess) -> str:
    """Wait for a process that is ending, and say how it ended."""
    process.join(KILL_GRACE)
    code = process.exitcode
    if code is None:
        return "closed its pipe and stayed"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exited with code {code}"


def order_end(process: BaseProcess) -> None:
    """Let a keeper, also a stopped one, end its process and all programs, without waiting."""
    if process.is_alive():
        with suppress(ProcessLookupError):
            os.kill(process.pid or 0, keeper.END)
            os.kill(process.pid or 0, signal.SIGCONT)


def end_at_once(process: SpawnProcess) -> None:
    """End a process and all its programs, and forget it."""
    order_end(process)
    process.join(KILL_GRACE)
    process.kill()  # the keeper itself, if even that is stuck
    process.join(KILL_GRACE)
    with suppress(ValueError):  # not even SIGKILL has ended it: the kernel is stuck, not we
        process.close()


def _bound_transfers(connection: "pipes.Connection[Any, Any]", seconds: float) -> None:
    """Let no read or write of the pool's end of a pipe take longer than `seconds`.

    Messages that fit the socket's buffer never block; snapshots may not fit.
    """
    whole = int(seconds)
    limit = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


@contextmanager
def under_keeper() -> Iterator[None]:
    """Let keepers start what multiprocessing spawns, and stand for it in this process."""
    plain = multiprocessing.spawn.get_command_line

    def kept(**arguments: int) -> list[str]:
        return kept_command(plain(**arguments))

    multiprocessing.spawn.get_command_line = kept
    try:
        yield
    finally:
        multiprocessing.spawn.get_command_line = plain


def kept_command(command: Sequence[str]) -> list[str]:
    """Return what starts a command under a keeper that ends with this process."""
    program = str(Path(keeper.__file__).resolve())
    return [multiprocessing.spawn.get_executable(), "-I", "-S", program, str(os.getpid()), *command]


@contextmanager
def birth_conditions() -> Iterator[None]:
    """Give a new process its environment variables, and signals that wait until it ignores them.

    A process inherits its starter's blocked signals. Without this a Ctrl-C, which reaches the whole
    process group, would kill a worker that is still importing.
    """
    resource_tracker.ensure_running()  # it unblocks signals, so it must not start below
    before = {name: os.environ.get(name) for name in CHILD_VARIABLES}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD_SIGNALS)
    os.environ.update(CHILD_VARIABLES)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
