"""Probe environments for the faults; like those in tests/workers/pool_probes.py, without torch."""

import os
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from tests.workers.pool_probes import BASE_SEED, GameProbe, VectorProbe
from workers.environments.base import Observation

SPIKE = 1e38  # finite, so that it is let in; its square is not


class SlowProbe(GameProbe):
    """A game that takes a while, so that signals meet it in every phase."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        time.sleep(0.002)
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        time.sleep(0.001)
        return super().step(action)


class BadResetProbe(VectorProbe):
    """A vector probe whose environment 1 begins its second episode with a bad observation."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        is_it = self._first_seed == BASE_SEED + 1 and self._counts["reset"] == 2
        return (self._value if is_it else observation), info


class Breaking(gymnasium.Env[Any, Any]):
    """An environment of a user, whose third step raises."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._steps += 1
        if self._steps == 3:
            raise ValueError("the joystick broke off")
        return np.zeros(2, np.float32), 1.0, False, False, {}


class Spiking(Breaking):
    """An environment whose step SPIKE_STEP rewards beyond all measure, on rank 1 alone."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._steps += 1
        is_it = os.environ.get("RANK") == "1" and self._steps == int(os.environ["SPIKE_STEP"])
        return np.zeros(2, np.float32), SPIKE if is_it else 1.0, False, False, {}


class Sleeping(Breaking):
    """An environment that falls asleep in its third step."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._steps += 1
        if self._steps == 3:
            time.sleep(1000)
        return np.zeros(2, np.float32), 1.0, False, False, {}


for name in ("Breaking", "Spiking", "Sleeping"):
    entry_point = f"tests.faults.probes:{name}"
    gymnasium.register(id=f"Scout{name}-v0", entry_point=entry_point, max_episode_steps=50)
