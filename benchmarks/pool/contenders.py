"""Scout's pool, and the same processes without it: what is compared with everything else."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from workers.environment_pool import EnvironmentPool
from workers.environments.base import Environment
from workers.processes.spawning import birth_conditions
from workers.shared.layout import split

SEED = 1
Actions = NDArray[np.int64]  # [steps, N]


class Contender(Protocol):
    """One way of stepping N environments."""

    def run(self, actions: Actions) -> None:
        """Step all environments once per row of `actions`."""

    def process_ids(self) -> list[int]:
        """Return the processes that step them, without this one."""

    def close(self) -> None:
        """End them."""


class WithoutTransport:
    """Processes that step their environments by themselves: the most that there is to be had."""

    def __init__(
        self, make: Callable[[], Environment], num_environments: int, num_processes: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for rows in split(0, num_environments, num_processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_step_alone, args=(make, rows, theirs), daemon=True)
            with birth_conditions():
                process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, actions: Actions) -> None:
        """Let every process step its environments; they get their actions beforehand."""
        for pipe in self._pipes:
            pipe.send(actions)
        for pipe in self._pipes:
            pipe.recv()

    def process_ids(self) -> list[int]:
        """Return the processes."""
        return [process.pid or 0 for process in self._processes]

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.join()


def _step_alone(
    make: Callable[[], Environment], rows: range, pipe: "Connection[None, Actions]"
) -> None:
    environments = [make() for _ in rows]
    for row, environment in zip(rows, environments, strict=True):
        environment.reset(seed=SEED + row)
    while True:
        for actions in pipe.recv()[:, rows.start : rows.stop].tolist():
            for environment, action in zip(environments, actions, strict=True):
                _, _, terminated, truncated, _ = environment.step(action)
                if terminated or truncated:
                    environment.reset()
        pipe.send(None)


class Ours:
    """A pool of Scout's, with one group or with two of which one is always in flight.

    Args:
        build: makes it.
    """

    def __init__(self, build: Callable[[], EnvironmentPool]) -> None:
        before = set(multiprocessing.active_children())
        self._pool = build()
        self._processes = set(multiprocessing.active_children()) - before
        self._pool.reset()

    def run(self, actions: Actions) -> None:
        """Send to each group as soon as it has answered."""
        groups = range(self._pool.num_groups)
        for group in groups:
            self._pool.send(group, actions[0, self._pool.group(group)])
        for row in actions[1:]:
            for group in groups:
                self._pool.recv(group)
                self._pool.send(group, row[self._pool.group(group)])
        for group in groups:
            self._pool.recv(group)

    def process_ids(self) -> list[int]:
        """Return the workers and their keepers."""
        keepers = [psutil.Process(process.pid) for process in self._processes]
        return [each.pid for keeper in keepers for each in (keeper, *keeper.children())]

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


def cpu_of(process_ids: list[int]) -> float:
    """Return the CPU seconds so far of processes, to the nanosecond."""
    nanoseconds = sum(
        int(thread.read_text().split()[0])
        for pid in process_ids
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )
    return nanoseconds / 1e9
