"""CartPole whose velocities are hidden, registered with Gymnasium as CartPoleHidden-v0.

    python main.py --train -f configs/experiments/cartpole_customrnn.yaml

One observation tells where cart and pole are, and not which way they move: whoever cannot remember
the last ones does not know which way to push.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.spaces import Box
from numpy.typing import NDArray

SEEN = np.array([0, 2])  # position of the cart, angle of the pole; 1 and 3 are their velocities


class HiddenVelocities(gymnasium.ObservationWrapper[NDArray[np.float32], Any, NDArray[np.float32]]):
    """Observations [2]: the cart's position in m, and the pole's angle in rad."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(CartPoleEnv(render_mode=render_mode))
        whole = self.env.observation_space
        assert isinstance(whole, Box)
        self.observation_space = Box(whole.low[SEEN], whole.high[SEEN], dtype=np.float32)

    def observation(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Leave the velocities out."""
        seen: NDArray[np.float32] = observation[SEEN]
        return seen


gymnasium.register(
    "CartPoleHidden-v0", "examples.hidden_velocities:HiddenVelocities", max_episode_steps=500
)
