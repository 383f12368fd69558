"""Breakout with a life as an episode, played alike by worker processes and by ale-py's threads."""

from functools import cache, partial
from typing import Any

import numpy as np

from configs.schema import EnvironmentSection
from workers.ale_vector import AleVectorPool
from workers.environment_pool import EnvironmentPool
from workers.environments.atari.atari import AtariEnvironment
from workers.environments.make import make_environment
from workers.pool import WorkerPool
from workers.shared.protocol import StepBatch

BREAKOUT = "BreakoutNoFrameskip-v4"
SEED = 11


def breakout(**options: Any) -> EnvironmentSection:
    """Breakout without sticky actions; a lost life ends the episode."""
    settings = {
        "env_id": BREAKOUT,
        "sticky_actions": False,
        "life_done": True,
        "max_episode_steps": "auto",
        "frame_skip": 12,
        **options,
    }
    return EnvironmentSection(**settings)


def open_pool(backend: str, section: EnvironmentSection) -> EnvironmentPool:
    """Return one game stepped by a worker process, or by a thread of ale-py; not yet reset."""
    if backend == "ale_vector":
        return AleVectorPool(section, num_environments=1, num_threads=1, base_seed=SEED)
    make = partial(make_environment, section)
    return WorkerPool(make, num_environments=1, num_processes=1, base_seed=SEED)


def action(t: int) -> int:
    """Fire at every second step, and walk to and fro between."""
    return 1 if t % 2 == 0 else 2 + (t // 8) % 2


def step(pool: EnvironmentPool, t: int) -> StepBatch:
    """Play the t-th action; what it gives is overwritten by the next one."""
    pool.send(0, np.array([action(t)], np.int64))
    return pool.recv(0)


@cache
def lives_lost_at() -> tuple[int, ...]:
    """Return after how many steps of `action` each life of one game is lost."""
    game, lost = AtariEnvironment(breakout()), []
    game.reset(seed=SEED)
    for t in range(400):
        _, _, terminated, _, info = game.step(action(t))
        if terminated:
            lost.append(t + 1)
            if info.get("game_over", True):
                return tuple(lost)
            game.reset()
    raise AssertionError("the game is not over")
