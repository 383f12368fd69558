"""The worker process: it owns a few environments and answers the pool's commands.

It never imports torch, sees no GPU, does not hear the signals that end a run (the pool decides when
a worker ends), and neither it nor a program of its environments outlives the pool.
"""

import os
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.connection import Connection

from workers.environments.base import EnvironmentSpec
from workers.processes.kept import begin_kept, hear_no_signals
from workers.profilers.profiling import profiled
from workers.shared.protocol import (
    Attach,
    Born,
    Building,
    Close,
    Command,
    Done,
    Ready,
    Reply,
    Reset,
    Restore,
    Restoring,
    Snapshot,
    Step,
    failure_of,
    post,
)
from workers.shared.shared_arrays import SharedArrays, field_table
from workers.stepping.owned_environments import MakeEnvironment, OwnedEnvironments


def run_worker(
    worker: int,
    make: MakeEnvironment,
    rows: tuple[range, ...],
    seeds: tuple[int, ...],
    connection: "Connection[Reply, Command]",
    lifeline: "Connection[None, None]",
) -> None:
    """Build the environments and serve commands until `Close` or until the pool is gone.

    Args:
        worker: this worker's number.
        make: makes one environment.
        rows: the indices in the pool of its environments, by group.
        seeds: one for each of them, for what it draws while it is made.
        connection: the pipe to the pool.
        lifeline: see `begin_kept`.
    """
    begin_kept(lifeline)
    owned = OwnedEnvironments(rows)
    try:
        post(connection, Born(os.getpid()))
        spec = owned.build(make, lambda row: post(connection, Building(row)), seeds)
        hear_no_signals()  # whatever an environment has made of them
        post(connection, Ready(spec))
        with profiled(f"-worker{worker}"):
            _serve(worker, owned, spec, connection)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the pool hears of it
        _send_home(connection, owned, error)
    finally:
        _close(connection, owned)
        connection.close()  # what is left is for Python to take down


def _serve(
    worker: int,
    owned: OwnedEnvironments,
    spec: EnvironmentSpec,
    connection: "Connection[Reply, Command]",
) -> None:
    while True:
        match _next_command(connection):
            case Attach(num_environments, num_workers, with_states):
                file_descriptor = reduction.recv_handle(connection)
                table = field_table(spec, num_environments, num_workers, with_states=with_states)
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
                owned.restore(group, snapshots, lambda row: post(connection, Restoring(row)))
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
    except BaseException as error:  # noqa: BLE001 - whatever it is, the pool hears of it
        _send_home(connection, owned, error)


def _send_home(
    connection: "Connection[Reply, Command]", owned: OwnedEnvironments, error: BaseException
) -> None:
    """Report an exception to the pool, if it is still there."""
    with suppress(BrokenPipeError, ConnectionResetError):
        post(connection, failure_of(owned.activity, error, owned.step_under_way))
