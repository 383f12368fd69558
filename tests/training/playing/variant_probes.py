"""Variants of CartPole, as a user would register them: of the same spaces, and of others."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.wrappers import TransformObservation


def with_a_fifth_number() -> gymnasium.Env[Any, Any]:
    """Observe a zero more."""
    pole = CartPoleEnv()
    space = gymnasium.spaces.Box(-10.0, 10.0, (5,), np.float32)
    return TransformObservation(pole, lambda seen: np.append(seen, np.float32(0)), space)


gymnasium.register(
    "ShortPole-v0", "gymnasium.envs.classic_control:CartPoleEnv", max_episode_steps=7
)
gymnasium.register("FifthPole-v0", f"{__name__}:with_a_fifth_number", max_episode_steps=7)
