"""The worker process: it owns a few environments and answers the pool's commands.

It never imports torch, sees no GPU, ignores the signals that end a run (the pool decides when a
worker ends) and never outlives the process that started it.
"""

import faulthandler
import os
import signal
import threading
import traceback
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.connection import Connection

from configs.errors import ScoutError
from workers.environments.base import EnvironmentSpec
from workers.owned_environments import MakeEnvironment, OwnedEnvironments
from workers.parent import die_with_parent
from workers.profiling import profiled
from workers.protocol import (
    Attach,
    Building,
    Close,
    Command,
    Done,
    Failed,
    Ready,
    Reply,
    Reset,
    Restore,
    Snapshot,
    Step,
    post,
)
from workers.shared_arrays import SharedArrays, field_table

IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def run_worker(
    worker: int,
    make: MakeEnvironment,
    rows: tuple[range, ...],
    seeds: tuple[int, ...],
    connection: "Connection[Reply, Command]",
    lifeline: "Connection[None, None]",
    parent: int,
) -> None:
    """Build the environments and serve commands until `Close` or until the pool is gone.

    Args:
        worker: this worker's number.
        make: makes one environment.
        rows: the indices in the pool of its environments, by group.
        seeds: one for each of them, for what it draws while it is made.
        connection: the pipe to the pool.
        lifeline: a pipe whose other end only the parent holds: it closes when the parent ends.
        parent: the parent's process id.
    """
    _ignore_signals()
    _end_with_parent(lifeline, parent)
    faulthandler.enable()
    owned = OwnedEnvironments(rows)
    try:
        spec = owned.build(make, lambda row: post(connection, Building(row)), seeds)
        post(connection, Ready(spec))
        with profiled(f"-worker{worker}"):
            _serve(worker, owned, spec, connection)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the pool hears of it
        _send_home(connection, owned, error)
    finally:
        _close(connection, owned)


def _serve(
    worker: int,
    owned: OwnedEnvironments,
    spec: EnvironmentSpec,
    connection: "Connection[Reply, Command]",
) -> None:
    while True:
        match _next_command(connection):
            case Attach(num_environments, num_workers):
                file_descriptor = reduction.recv_handle(connection)
                table = field_table(spec, num_environments, num_workers)
                owned.attach(SharedArrays(file_descriptor, table), worker)
                os.close(file_descriptor)
            case Reset(group, slot, seeds):
                owned.reset(group, slot, seeds)
                post(connection, Done(group, [], []))
            case Step(group, slot):
                post(connection, Done(group, owned.step(group, slot), []))
            case Snapshot(group):
                post(connection, Done(group, [], owned.snapshot(group)))
            case Restore(group, snapshots):
                owned.restore(group, snapshots)
                post(connection, Done(group, [], []))
            case Close():
                return


def _next_command(connection: "Connection[Reply, Command]") -> Command:
    """Wait for a command; a closed pipe means that the pool is gone."""
    try:
        return connection.recv()
    except (EOFError, ConnectionResetError):
        return Close()


def _close(connection: "Connection[Reply, Command]", owned: OwnedEnvironments) -> None:
    try:
        owned.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, the pool hears of it
        _send_home(connection, owned, error)


def _send_home(
    connection: "Connection[Reply, Command]", owned: OwnedEnvironments, error: BaseException
) -> None:
    """Report an exception to the pool, if it is still there."""
    lines = "".join(traceback.format_exception(error)).rstrip()
    summary = "".join(traceback.format_exception_only(error)).rstrip()
    own_words = error if isinstance(error, ScoutError) and _travels(error) else None
    with suppress(BrokenPipeError, ConnectionResetError):
        post(connection, Failed(owned.activity, summary, lines, own_words))


def _travels(error: ScoutError) -> bool:
    """Whether the exception comes out of a pipe as it went in."""
    try:
        return str(reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(error))) == str(
            error
        )
    except Exception:  # noqa: BLE001 - a foreign __init__ may raise anything
        return False


def _ignore_signals() -> None:
    """Ignore the signals of a process group; they were blocked from birth (see `WorkerProcess`)."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED_SIGNALS)


def _end_with_parent(lifeline: "Connection[None, None]", parent: int) -> None:
    """Die when the parent dies, by whichever notices first: the kernel or the life-line's thread.

    The kernel's signal reaches a process that a C call keeps from running any thread; the life-line
    covers a parent that died before the kernel was asked.
    """
    threading.Thread(target=_wait_for_parent, args=(lifeline,), daemon=True).start()
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _wait_for_parent(lifeline: "Connection[None, None]") -> None:
    with suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
