"""The keeper of a program that runs other people's code: nothing that it starts outlives it.

    python -I -S workers/processes/keeper.py PARENT PROGRAM ARGUMENT...

A simulator may be a program of its own, which an environment starts and forgets, or which has left
its parent and its session. So a worker is started by its keeper, a bare interpreter that does
nothing but wait. The kernel hands it whatever the worker's programs leave behind (it is a "child
subreaper"), so it knows all of them and nobody else. When the worker has ended, in whichever way,
or the parent has, or when the pool says so, the keeper ends what is left: SIGTERM first, SIGKILL a
second later. Then it ends as the worker did.

Keeper and worker have a process group of their own: what a terminal sends to its programs reaches
neither, nor a simulator. This file is run by itself, without the project on its path.
"""

import ctypes
import os
import signal
import stat
import sys
import time
from contextlib import suppress

END = signal.SIGRTMIN  # the pool's order to end all
PARENT_ENDED = signal.SIGCONT  # the kernel's word; it wakes a keeper that was stopped, too
HEARD = {signal.SIGCHLD, PARENT_ENDED, END}
UNHEARD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
PROGRAM_GRACE = 1.0  # seconds that a program has after SIGTERM
GIVE_UP = 3.0  # seconds after which what not even SIGKILL has ended is left alone
LOOK_EVERY = 0.05  # seconds


def start(command: list[str]) -> int:
    """Start the program in this process's new group; return its process id.

    Raises:
        OSError: it cannot be started.
    """
    if os.getsid(0) != os.getpid():  # a new session would be scheduled apart, `nice` or not
        os.setpgid(0, 0)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, PARENT_ENDED)):
        if prctl(option, int(value), 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD | UNHEARD)
    # Python ignores SIGPIPE, and what is ignored is inherited.
    program = os.posix_spawnp(
        command[0], command, os.environ, setsigmask=mask, setsigdef=[signal.SIGPIPE]
    )
    _close_sockets()
    return program


def keep(parent: int, worker: int) -> int:
    """Wait for the end of the worker or of the parent, then end all; return the worker's status."""
    status = None
    ordered = False
    while status is None and not ordered and os.getppid() == parent:
        ordered = signal.sigwait(HEARD) == END
        status = _collect(worker)
    if status is None:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    return _end_children(worker, status)


def _end_children(worker: int, status: int | None) -> int:
    """End all children until there are none; those of an ended one become this process's own.

    Only children are signalled: the number of one cannot pass on to a stranger before it is
    collected here.
    """
    began = time.monotonic()
    told: set[tuple[int, int]] = set()
    while (children := _children()) and time.monotonic() - began < GIVE_UP:
        is_patient = time.monotonic() - began < PROGRAM_GRACE
        number = signal.SIGTERM if is_patient else signal.SIGKILL
        for child in children - {worker}:
            if (child, number) not in told:
                told.add((child, number))
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(child, number)
        signal.sigtimedwait({signal.SIGCHLD}, LOOK_EVERY)
        ended = _collect(worker)
        status = ended if status is None else status
    return signal.SIGKILL if status is None else status


def _collect(worker: int) -> int | None:
    """Take leave of all children that have ended; return the worker's wait status if it has."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == worker:
                status = ended[1]
    return status


def _children() -> set[int]:
    """Return this process's children; the kernel's own list may leave some out, /proc does not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    me = str(os.getpid())
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The program's name stands in brackets and may hold anything, brackets too.
            if file.read().rpartition(b")")[2].split()[1] == me.encode():
                found.add(int(name))
    return found


def _close_sockets() -> None:
    """Close the program's pipe to the pool, so that its end can be seen there.

    What tells the pool of this process's end is a pipe of another kind.
    """
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the list's own is closed already
            if int(name) > 2 and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                os.close(int(name))


def _end_like(status: int) -> None:
    """End as a process with this wait status did, but leave no core file."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    import resource  # noqa: PLC0415 - one that ends well does without

    number = os.WTERMSIG(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.kill(os.getpid(), number)


def main() -> None:
    """Start the command that follows the parent's process id, and keep it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    try:
        program = start(command)
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.exit(127)
    _end_like(keep(parent, program))


if __name__ == "__main__":
    main()
