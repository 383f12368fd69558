"""How other libraries step N environments, each by what its users would call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from benchmarks.gymnasium_games import envpool_task, make_ale_vector
from benchmarks.pool.contenders import SEED, Actions
from configs.schema import EnvironmentSection

MakeGame = Callable[[], gymnasium.Env[Any, Any]]


class GymnasiumAsync:
    """gymnasium's AsyncVectorEnv with its defaults: a process per environment, shared memory."""

    def __init__(self, make: MakeGame, num_environments: int) -> None:
        self._environments = gymnasium.vector.AsyncVectorEnv([make] * num_environments)
        self._environments.reset(seed=SEED)

    def run(self, actions: Actions) -> None:
        """Step."""
        for row in actions:
            self._environments.step(row)

    def process_ids(self) -> list[int]:
        """Return the environments' processes."""
        return [process.pid or 0 for process in self._environments.processes]

    def close(self) -> None:
        """Close them."""
        self._environments.close(terminate=True)


class Subproc:
    """stable-baselines3's SubprocVecEnv with its defaults: a process per environment, pipes."""

    def __init__(self, make: MakeGame, num_environments: int) -> None:
        from stable_baselines3.common.vec_env import (  # type: ignore[import-not-found] # noqa: PLC0415 - imports torch
            SubprocVecEnv,
        )

        self._environments = SubprocVecEnv([make] * num_environments)
        self._environments.seed(SEED)
        self._environments.reset()

    def run(self, actions: Actions) -> None:
        """Step."""
        for row in actions:
            self._environments.step(row)

    def process_ids(self) -> list[int]:
        """Return the environments' processes."""
        return [process.pid or 0 for process in self._environments.processes]

    def close(self) -> None:
        """Close them."""
        self._environments.close()


class Threads:
    """Environments of this process, stepped by C++ threads: ale-py's vector, envpool."""

    def __init__(self, environments: Any) -> None:
        self._environments = environments

    def run(self, actions: Actions) -> None:
        """Step."""
        for row in actions.astype(np.int32):
            self._environments.step(row)

    def process_ids(self) -> list[int]:
        """There are none beside this one."""
        return []

    def close(self) -> None:
        """Let the threads go."""
        self._environments.close()


def ale_vector(section: EnvironmentSection, num_environments: int, num_threads: int) -> Threads:
    """Build ale-py's AtariVectorEnv, which hands out single frames."""
    environments = make_ale_vector(section, num_environments, num_threads, num_frames=1)
    environments.reset(seed=SEED)
    return Threads(environments)


def envpool_games(section: EnvironmentSection, num_environments: int, num_threads: int) -> Threads:
    """Build envpool's environments, which hand out single frames."""
    import envpool  # type: ignore[import-not-found] # noqa: PLC0415 - only where it is stepped

    make = partial(
        envpool.make_gymnasium,
        envpool_task(section.env_id),
        num_envs=num_environments,
        num_threads=num_threads,
        seed=SEED,
    )
    environments = make(**_atari_settings(section)) if section.env_type == "atari" else make()
    environments.reset()
    return Threads(environments)


def _atari_settings(section: EnvironmentSection) -> dict[str, Any]:
    steps = section.max_episode_steps
    cap = {} if steps == "auto" else {"max_episode_steps": steps}
    return cap | {
        "stack_num": 1,
        "frame_skip": section.frame_skip,
        "img_height": section.frame_height,
        "img_width": section.frame_width,
        "repeat_action_probability": section.sticky_probability,
        "noop_max": 1,
        "use_fire_reset": False,
    }
