"""Small pools of probes, and what is asked of them when a worker is lost."""

import multiprocessing
from functools import partial
from typing import Any

import numpy as np
import psutil

from tests.workers.pool_probes import BASE_SEED, Fault, GameProbe
from workers.pool import WorkerPool
from workers.shared.protocol import StepBatch
from workers.stepping.owned_environments import MakeEnvironment

N = 4


def make_pool(make: MakeEnvironment, **options: Any) -> WorkerPool:
    settings = {"num_environments": N, "num_processes": 2, "base_seed": BASE_SEED}
    return WorkerPool(make, **{**settings, **options})


def faulty_pool(fault: Fault, **options: Any) -> WorkerPool:
    """A pool of two workers with environments 0, 1 and 2, 3."""
    return make_pool(partial(GameProbe, fault), **options)


def step(pool: WorkerPool, group: int = 0) -> StepBatch:
    rows = pool.group(group)
    pool.send(group, np.zeros(rows.stop - rows.start, np.int64))
    return pool.recv(group)


def keeper_ids() -> dict[str, int]:
    """Process ids of what keeps the workers there are, by the worker's name."""
    return {
        process.name: process.pid
        for process in multiprocessing.active_children()
        if process.name.startswith("worker-") and process.pid is not None
    }


def worker_ids() -> dict[str, int]:
    """Process ids of the workers there are, whose environments are built, by name."""
    return {
        name: psutil.Process(keeper).children()[0].pid
        for name, keeper in sorted(keeper_ids().items())
    }


def step_until_lost(pool: WorkerPool) -> tuple[np.ndarray[Any, Any], StepBatch]:
    """Return the observations before the step that lost a worker, and that step."""
    observations = pool.reset().copy()
    for _ in range(30):
        batch = step(pool)
        if pool.worker_restarts:
            return observations, batch
        observations = batch.observations.copy()
    raise AssertionError("no worker was lost")


def assert_lost(batch: StepBatch, before: np.ndarray[Any, Any], lost: list[int]) -> None:
    """The rows `lost` of a one-group batch are cut where `before` left off."""
    assert sorted(e.environment for e in batch.episodes if e.lost) == lost
    assert np.array_equal(batch.final_observations[lost], before[lost])
    assert not np.array_equal(batch.observations[lost], before[lost])
    assert batch.rewards[lost].tolist() == [0.0] * len(lost)
    assert not batch.terminated[lost].any()
    assert batch.truncated[lost].all()
