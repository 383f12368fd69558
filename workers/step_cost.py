"""What a step of an environment costs, measured on a few that nobody else uses."""

import time
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.in_process import InProcessPool
from workers.stepping.owned_environments import MakeEnvironment

MOST_ENVIRONMENTS = 8
TRIALS = 5
STEPS = 40  # env steps of a trial, of all environments together


def step_cost(make: MakeEnvironment, num_environments: int) -> float:
    """Return the CPU seconds of an env step in this process, with its checks and a reset at times.

    It is the median of a few trials: the first one fills caches, and any may meet a reset. No
    random stream of this process moves.

    Args:
        make: makes one environment.
        num_environments: how many there will be; no more than a few are measured.

    Raises:
        ScoutError: the environment could not be built, or fails.
    """
    n = min(num_environments, MOST_ENVIRONMENTS)
    rows = STEPS // n
    with InProcessPool(make, num_environments=n, base_seed=0) as pool:
        pool.reset()
        spec = pool.spec
        actions: NDArray[Any] = np.zeros((TRIALS, rows, n, spec.num_actions), np.float32)
        if spec.discrete:
            draw = np.random.default_rng(0)
            actions = draw.integers(spec.num_actions, size=(TRIALS, rows, n))
        return median(_seconds(pool, trial) for trial in actions) / (rows * n)


def _seconds(pool: InProcessPool, actions: NDArray[Any]) -> float:
    began = time.thread_time()
    for action in actions:
        pool.send(0, action)
        pool.recv(0)
    return time.thread_time() - began
