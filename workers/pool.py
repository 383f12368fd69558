"""A pool of environments in worker processes, stepped together: the actor side's front door.

Use it from the main thread, as a context manager:

    with WorkerPool(make, num_environments=64, num_processes=2, base_seed=1) as pool:
        observations = pool.reset()
        pool.send(0, actions)
        batch = pool.recv(0)
"""

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from workers.environment_pool import TakeSnapshots
from workers.environments.base import EnvironmentSpec, Observation
from workers.shared.layout import Layout
from workers.shared.protocol import (
    NO_SEED,
    Attach,
    EpisodeSummary,
    GroupState,
    Reset,
    Restore,
    Snapshot,
    Step,
    StepBatch,
    Vectors,
)
from workers.shared.shared_arrays import SharedArrays, allocate, field_table
from workers.shared.turns import Turns
from workers.stepping.owned_environments import MakeEnvironment
from workers.supervision.limits import Limits
from workers.supervision.lost_games import Seeds
from workers.supervision.supervision import Supervisor


class WorkerPool:
    """N environments in worker processes, in G groups that step independently of each other.

    Two groups let the caller act on one while the other steps. A worker that dies, raises or hangs
    is logged and replaced; its games are reported as truncated and lost (see lost_games.py).

    Attributes:
        spec: what the environments are.
        num_environments: N.
        num_groups: G.
        place: where the environments step, in words.
    """

    spec: EnvironmentSpec

    def __init__(
        self,
        make: MakeEnvironment,
        *,
        num_environments: int,
        num_processes: int,
        num_groups: int = 1,
        base_seed: int,
        first_index: int = 0,
        step_timeout: float = 60.0,
        reset_timeout: float = 120.0,
        max_restarts: int = 100,
        with_states: bool = False,
    ) -> None:
        """Start the workers and wait until their environments are built.

        Args:
            make: makes one environment, any of Gymnasium's or one of Scout's; picklable.
            num_environments: N.
            num_processes: worker processes; at most one per environment of a group is used.
            num_groups: G.
            base_seed, first_index: environment i is first reset with base_seed + first_index + i,
                and what it draws while it is made follows from that number too.
            step_timeout: seconds that a step of a worker's environments may take.
            reset_timeout: seconds that building or restoring one of them, or a reset of all, may
                take.
            max_restarts: lost workers that are replaced, in all.
            with_states: whether states and labels come beside the observations.

        Raises:
            ScoutError: an environment could not be built, a worker could not be started, or memory
                or file descriptors do not suffice.
        """
        layout = Layout.plan(num_environments, num_processes, num_groups)
        self.num_environments = num_environments
        self.num_groups = num_groups
        self.place = f"on {layout.num_workers} worker process(es) per rank"
        self._layout = layout
        self._seeds = Seeds(base_seed, first_index)
        self._turns = Turns(num_groups)
        self._slots = [0] * num_groups
        self._memory_file: int | None = None
        limits = Limits(step_timeout, reset_timeout, max_restarts)
        self._supervisor = Supervisor(make, layout, limits, self._seeds)
        self._owners = [
            [worker for worker in self._supervisor.workers if worker.rows[group]]
            for group in range(num_groups)
        ]
        try:
            self.spec = self._supervisor.start()
            table = field_table(
                self.spec, num_environments, layout.num_workers, with_states=with_states
            )
            self._memory_file = allocate(table)
            self._arrays = SharedArrays(self._memory_file, table)
            self._arrays.plan_resets(np.full(num_environments, NO_SEED))
            attach = Attach(num_environments, layout.num_workers, with_states)
            self._supervisor.attach(self._arrays, attach, self._memory_file)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def num_processes(self) -> int:
        """Worker processes in use."""
        return self._layout.num_workers

    @property
    def worker_restarts(self) -> int:
        """Lost workers replaced so far."""
        return self._supervisor.restarts

    @property
    def shared_memory(self) -> NDArray[np.uint8]:
        """The bytes in which all batches lie, actions and the workers' own notes too."""
        return self._arrays.block

    def group(self, group: int) -> slice:
        """Return the rows of a group in [0, N)."""
        rows = self._layout.groups[group]
        return slice(rows.start, rows.stop)

    def reset(self) -> Observation:
        """Begin a new episode in all environments, seeded by global index at the first call.

        Returns:
            the observations [N, *shape], a view that is valid until the next `send`.
        """
        is_first = self._turns.has(GroupState.NEW)
        self._turns.expect_all(GroupState.NEW if is_first else GroupState.IDLE)
        for group, owners in enumerate(self._owners):
            for worker in owners:
                rows = worker.rows[group]
                otherwise = self._seeds.initial(rows) if is_first else (None,) * len(rows)
                seeds = self._arrays.planned_seeds(rows, otherwise)
                self._supervisor.order(worker, Reset(group, 0, seeds))
        self._collect_all()
        self._turns.put_all(GroupState.IDLE)
        self._slots = [0] * self.num_groups
        observations: Observation = self._arrays.observations[0]
        return observations

    def plan_resets(self, seeds: NDArray[np.int64]) -> None:
        """Say with which seed each environment is reset next; see `EnvironmentPool`."""
        self._arrays.plan_resets(seeds)

    def send(self, group: int, actions: NDArray[Any]) -> None:
        """Begin a step of the n environments of a group.

        Args:
            group: the group's number.
            actions: int64 [n] of discrete choices, or float32 [n, A].

        Raises:
            ValueError: actions of another shape or dtype.
        """
        self._turns.expect(group, GroupState.IDLE)
        self._arrays.take_actions(self.group(group), actions)
        self._slots[group] = 1 - self._slots[group]
        command = Step(group, self._slots[group])
        for worker in self._owners[group]:
            self._supervisor.order(worker, command)
        self._turns.put(group, GroupState.STEPPING)

    def recv(self, group: int) -> StepBatch:
        """Wait for the step that `send` began.

        Raises:
            BadTransitionError: an environment returned what no batch may hold.
            WorkerError: more workers were lost than may be replaced.
        """
        self._turns.expect(group, GroupState.STEPPING)
        episodes, _ = self._collect(group)
        self._turns.put(group, GroupState.IDLE)
        return self._arrays.batch(self.group(group), self._slots[group], episodes)

    def states(self, group: int) -> Vectors:
        """Return the states [n, S] of the group's present observations; valid as those are."""
        return self._arrays.states[self._slots[group], self.group(group)]

    def labels(self, group: int) -> Vectors:
        """Return the labels [n, L] of the group's present observations; valid as those are."""
        return self._arrays.labels[self._slots[group], self.group(group)]

    def capture(self) -> TakeSnapshots:
        """Return what gives `snapshot` of now, also later."""
        snapshots = self.snapshot()
        return lambda: snapshots

    def snapshot(self) -> list[bytes | None]:
        """Return the state of every environment, its running score and length included.

        None stands for an environment that cannot give its state, or whose worker was just lost.
        """
        self._turns.expect_all(GroupState.IDLE)
        for group, owners in enumerate(self._owners):
            for worker in owners:
                self._supervisor.order(worker, Snapshot(group))
        return self._collect_all()

    def restore(self, snapshots: list[bytes]) -> None:
        """Let every environment continue exactly from what `snapshot` returned.

        The newest observations, states and labels are theirs, too. In checkpoints from before
        observations were kept there are none: these stay what they were.

        Raises:
            ValueError: not one snapshot per environment.
            CheckpointError: an environment refused its snapshot.
            WorkerError: a worker was lost.
        """
        if len(snapshots) != self.num_environments:
            raise ValueError(f"{len(snapshots)} snapshots for {self.num_environments} environments")
        self._turns.expect_all(GroupState.IDLE)
        for group, owners in enumerate(self._owners):
            for worker in owners:
                rows = worker.rows[group]
                command = Restore(group, tuple(snapshots[rows.start : rows.stop]))
                self._supervisor.order(worker, command)
        self._collect_all()

    def close(self) -> None:
        """End the workers, by force if they take longer than a second; may be called again."""
        if self._turns.has(GroupState.CLOSED):
            return
        self._turns.put_all(GroupState.CLOSED)
        self._supervisor.close()
        if self._memory_file is not None:
            os.close(self._memory_file)

    def _collect_all(self) -> list[bytes | None]:
        snapshots = []
        for group in range(self.num_groups):
            snapshots += self._collect(group)[1]
        return snapshots

    def _collect(self, group: int) -> tuple[list[EpisodeSummary], list[bytes | None]]:
        """Wait for the answers of a group; return its ended episodes and its snapshots, if any."""
        try:
            self._supervisor.wait(lambda worker: group in worker.in_flight)
        except BaseException:
            self._turns.put_all(GroupState.BROKEN)
            raise
        episodes: list[EpisodeSummary] = []
        snapshots: list[bytes | None] = []
        for worker in self._owners[group]:
            answer = worker.answers.pop(group)
            episodes += worker.cut.pop(group, []) + answer.episodes
            snapshots += answer.snapshots
        return episodes, snapshots
