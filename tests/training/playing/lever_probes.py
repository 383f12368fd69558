"""Levers with bounds of their own; the score of a game is how far each of them was moved."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LOW, HIGH = np.array([10.0, -3.0], np.float32), np.array([20.0, np.inf], np.float32)


class Levers(gymnasium.Env[Any, Any]):
    """One step: the first lever lies between 10 and 20, the second one above -3."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = spaces.Box(LOW, HIGH, dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        return np.zeros(2, np.float32), float(action[0]), True, False, {}


gymnasium.register(id="ScoutLevers-v0", entry_point=f"{__name__}:Levers", disable_env_checker=True)
