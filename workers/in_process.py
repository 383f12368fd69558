"""A pool of environments that step in this process: no workers, no messages, no shared memory.

It is what WorkerBackend = in_process means, and is used as `WorkerPool` is, with the same results
to the last bit. For environments whose step takes microseconds a message costs more than the step.
What is given up: an environment that raises ends the pool, one that crashes takes the process
along, and one that hangs keeps it.
"""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from configs.errors import CheckpointError, Interrupted, ScoutError
from workers.environment_pool import TakeSnapshots
from workers.environments.base import EnvironmentSpec, Observation
from workers.environments.registered.global_streams import own_streams_put_back
from workers.shared.layout import Layout
from workers.shared.protocol import (
    NO_SEED,
    Failed,
    GroupState,
    StepBatch,
    Vectors,
    WorkerError,
    failure_of,
)
from workers.shared.shared_arrays import PRIVATE, SharedArrays, field_table
from workers.shared.turns import Turns
from workers.stepping.owned_environments import MakeEnvironment, OwnedEnvironments
from workers.supervision.lost_games import Seeds

_LOG = logging.getLogger(__name__)


class InProcessPool:
    """N environments in this process, in G groups that step in turns.

    Attributes:
        spec: what the environments are.
        num_environments: N.
        num_groups: G.
        num_processes: 0, there are no workers.
        worker_restarts: always 0.
        place: where the environments step, in words.
    """

    spec: EnvironmentSpec

    def __init__(
        self,
        make: MakeEnvironment,
        *,
        num_environments: int,
        num_groups: int = 1,
        base_seed: int,
        first_index: int = 0,
        with_states: bool = False,
    ) -> None:
        """Build the environments.

        Args:
            make: makes one environment, any of Gymnasium's or one of Scout's.
            num_environments: N.
            num_groups: G.
            base_seed, first_index: environment i is first reset with base_seed + first_index + i,
                and what it draws while it is made follows from that number too.
            with_states: whether states and labels come beside the observations.

        Raises:
            ScoutError: an environment could not be built.
        """
        layout = Layout.plan(num_environments, 1, num_groups)
        self.num_environments = num_environments
        self.num_groups = num_groups
        self.num_processes = 0
        self.worker_restarts = 0
        self.place = "in the rank itself"
        self._rows = layout.groups
        self._seeds = Seeds(base_seed, first_index)
        self._turns = Turns(num_groups)
        self._slots = [0] * num_groups
        self._owned = OwnedEnvironments(layout.groups)
        self._folder = os.open(".", os.O_RDONLY)
        try:
            with self._failures_named(is_replaceable=False), own_streams_put_back():
                seeds = self._seeds.building(layout.groups, restart=0)
                self.spec = self._owned.build(make, lambda row: None, seeds)
            table = field_table(self.spec, num_environments, 1, with_states=with_states)
            self._arrays = SharedArrays(PRIVATE, table)
            self._arrays.plan_resets(np.full(num_environments, NO_SEED))
            self._owned.attach(self._arrays, 0)
            self._owned.step_together()
        except BaseException:
            self._close_beside_an_error()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self.close()
        else:
            self._close_beside_an_error()

    @property
    def shared_memory(self) -> NDArray[np.uint8]:
        """The bytes in which all batches lie; only this process sees them."""
        return self._arrays.block

    def group(self, group: int) -> slice:
        """Return the rows of a group in [0, N)."""
        rows = self._rows[group]
        return slice(rows.start, rows.stop)

    def reset(self) -> Observation:
        """Begin a new episode in all environments, seeded by global index at the first call.

        Returns:
            the observations [N, *shape], a view that is valid until the next `send`.
        """
        is_first = self._turns.has(GroupState.NEW)
        self._turns.expect_all(GroupState.NEW if is_first else GroupState.IDLE)
        with self._failures_named():
            for group, rows in enumerate(self._rows):
                otherwise = self._seeds.initial(rows) if is_first else (None,) * len(rows)
                seeds = self._arrays.planned_seeds(rows, otherwise)
                self._owned.reset(group, 0, seeds)
        self._turns.put_all(GroupState.IDLE)
        self._slots = [0] * self.num_groups
        observations: Observation = self._arrays.observations[0]
        return observations

    def plan_resets(self, seeds: NDArray[np.int64]) -> None:
        """Say with which seed each environment is reset next; see `EnvironmentPool`."""
        self._arrays.plan_resets(seeds)

    def send(self, group: int, actions: NDArray[Any]) -> None:
        """Take the actions of the n environments of a group; `recv` steps them.

        Args:
            group: the group's number.
            actions: int64 [n] of discrete choices, or float32 [n, A].

        Raises:
            ValueError: actions of another shape or dtype.
        """
        self._turns.expect(group, GroupState.IDLE)
        self._arrays.take_actions(self.group(group), actions)
        self._slots[group] = 1 - self._slots[group]
        self._turns.put(group, GroupState.STEPPING)

    def recv(self, group: int) -> StepBatch:
        """Step the environments of a group with the actions that `send` took.

        Raises:
            BadTransitionError: an environment returned what no batch may hold.
            WorkerError: an environment raised something else.
        """
        self._turns.expect(group, GroupState.STEPPING)
        with self._failures_named():
            episodes = self._owned.step(group, self._slots[group])
        self._turns.put(group, GroupState.IDLE)
        return self._arrays.batch(self.group(group), self._slots[group], episodes)

    def states(self, group: int) -> Vectors:
        """Return the states [n, S] of the group's present observations; valid as those are."""
        return self._arrays.states[self._slots[group], self.group(group)]

    def labels(self, group: int) -> Vectors:
        """Return the labels [n, L] of the group's present observations; valid as those are."""
        return self._arrays.labels[self._slots[group], self.group(group)]

    def capture(self) -> TakeSnapshots:
        """Return what gives `snapshot` of now, also later; it is cheap until it is called."""
        self._turns.expect_all(GroupState.IDLE)
        with self._failures_named():
            captured = [
                take for group in range(self.num_groups) for take in self._owned.capture(group)
            ]
        return lambda: [None if take is None else take() for take in captured]

    def snapshot(self) -> list[bytes | None]:
        """Return the state of every environment, its running score and length included.

        None stands for an environment that cannot give its state.
        """
        return self.capture()()

    def restore(self, snapshots: list[bytes]) -> None:
        """Let every environment continue exactly from what `snapshot` returned.

        The newest observations, states and labels are theirs, too. In checkpoints from before
        observations were kept there are none: these stay what they were.

        Raises:
            ValueError: not one snapshot per environment.
            CheckpointError: an environment refused its snapshot.
        """
        if len(snapshots) != self.num_environments:
            raise ValueError(f"{len(snapshots)} snapshots for {self.num_environments} environments")
        self._turns.expect_all(GroupState.IDLE)
        try:
            with self._failures_named(is_replaceable=False):
                for group, rows in enumerate(self._rows):
                    own = tuple(snapshots[rows.start : rows.stop])
                    self._owned.restore(group, own, lambda row: None)
        except ScoutError as error:
            raise CheckpointError(
                f"{error}\nso the environments refuse the snapshots of the checkpoint; "
                "--load_model_path under a new name goes on with new episodes"
            ) from None

    def close(self) -> None:
        """Close the environments; may be called again.

        Raises:
            WorkerError: one could not be closed; the others are.
        """
        if self._turns.has(GroupState.CLOSED):
            return
        try:
            with self._failures_named(is_replaceable=False):
                self._turns.put_all(GroupState.CLOSED)
                self._owned.close()
        finally:
            os.close(self._folder)

    def _close_beside_an_error(self) -> None:
        """Close the environments; what goes wrong now is not why the pool has failed."""
        try:
            self.close()
        except ScoutError as error:
            _LOG.warning("%s", error)

    @contextmanager
    def _failures_named(self, *, is_replaceable: bool = True) -> Iterator[None]:
        """Turn what environments raise into one error that says which and when; break the pool.

        Whoever asks the program to end is heard, and a lack of memory is the run's own. Where the
        program takes Ctrl-C itself, as a run does, a KeyboardInterrupt is an environment's. The
        run's files lie where it was started, wherever an environment goes.

        Args:
            is_replaceable: whether `WorkerPool` would go on after such a failure.
        """
        try:
            yield
        except (ScoutError, MemoryError):
            self._break()
            raise
        except BaseException as error:  # sys.exit too ends a pool, not the program
            self._break()
            if isinstance(error, Interrupted):
                raise
            if isinstance(error, KeyboardInterrupt) and _ctrl_c_raises():
                raise
            failure = failure_of(self._owned.activity, error)
            raise WorkerError(_story(failure, is_replaceable=is_replaceable)) from None
        finally:
            os.fchdir(self._folder)

    def _break(self) -> None:
        if not self._turns.has(GroupState.CLOSED):
            self._turns.put_all(GroupState.BROKEN)


def _ctrl_c_raises() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _story(failure: Failed, *, is_replaceable: bool) -> str:
    remedy = " (with WorkerBackend = processes it would be replaced)" if is_replaceable else ""
    return (
        f"the pool in the rank itself failed {failure.activity}: raised an exception: "
        f"{failure.summary}{remedy}\n{failure.traceback}"
    )
