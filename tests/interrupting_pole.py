"""CartPole that raises what a Ctrl-C raises in its fifth step."""

from typing import Any

import gymnasium
from gymnasium.envs.classic_control.cartpole import CartPoleEnv


class InterruptingPole(CartPoleEnv):
    """Leaves by itself, as a window that is closed makes some simulators do."""

    steps_done = 0

    def step(self, action: Any) -> Any:
        self.steps_done += 1
        if self.steps_done == 5:
            raise KeyboardInterrupt
        return super().step(action)  # type: ignore[no-untyped-call]


gymnasium.register("InterruptingPole-v0", f"{__name__}:InterruptingPole", max_episode_steps=9)
