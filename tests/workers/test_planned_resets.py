"""Seeds for resets that are planned: what begins is what a fresh environment would begin."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.workers.pool_probes import BASE_SEED, Fault, GameProbe
from workers.in_process import InProcessPool
from workers.pool import WorkerPool
from workers.shared.protocol import NO_SEED

N = 2

Open = Callable[..., Any]


def in_workers(fault: Fault | None = None) -> WorkerPool:
    make = partial(GameProbe, fault)
    return WorkerPool(make, num_environments=N, num_processes=2, base_seed=BASE_SEED)


def in_this_process() -> InProcessPool:
    return InProcessPool(GameProbe, num_environments=N, base_seed=BASE_SEED)


def first_frame(seed: int) -> Any:
    return GameProbe().reset(seed=seed)[0]


def step_until(pool: Any, row: int) -> Any:
    """Step until an episode of environment `row` ends; return that step."""
    for _ in range(30):
        pool.send(0, np.zeros(N, np.int64))
        batch = pool.recv(0)
        if batch.terminated[row] or batch.truncated[row]:
            return batch
    raise AssertionError("no episode ended")


@pytest.mark.parametrize("opened", [in_workers, in_this_process])
def test_resets_take_the_seeds_that_are_planned(opened: Open) -> None:
    with opened() as pool:
        pool.plan_resets(np.array([70, NO_SEED]))
        observations = pool.reset()
        assert np.array_equal(observations[0], first_frame(70))
        assert np.array_equal(observations[1], first_frame(BASE_SEED + 1))
        pool.plan_resets(np.array([71, NO_SEED]))
        assert np.array_equal(step_until(pool, 0).observations[0], first_frame(71))
        assert np.array_equal(step_until(pool, 0).observations[0], first_frame(71))  # it holds
        pool.plan_resets(np.full(N, NO_SEED))
        assert not np.array_equal(step_until(pool, 0).observations[0], first_frame(71))


def test_without_plans_the_streams_go_on_as_ever() -> None:
    with in_workers() as workers, in_this_process() as here:
        assert np.array_equal(workers.reset(), here.reset())
        for _ in range(3):
            one, other = step_until(workers, 1), step_until(here, 1)
            assert np.array_equal(one.observations, other.observations)


def test_a_lost_worker_begins_with_the_seed_that_is_planned() -> None:
    with in_workers(Fault("kill", environment=1, phase="step", when=2)) as pool:
        pool.reset()
        pool.plan_resets(np.array([80, 81]))
        while not pool.worker_restarts:
            pool.send(0, np.zeros(N, np.int64))
            batch = pool.recv(0)
        assert [episode.environment for episode in batch.episodes if episode.lost] == [1]
        assert np.array_equal(batch.observations[1], first_frame(81))
