"""Environments registered under ids of their own, as a user's package would do it."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Echo(gymnasium.Env[Any, Any]):
    """Observes nothing but its space; remembers the last action; ends after ten steps."""

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, **both_spaces: Any) -> None:
        self.observation_space = both_spaces["observations"]
        self.action_space = both_spaces["actions"]
        self.last_action: Any = None
        self.num_steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.num_steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.last_action = action
        self.num_steps += 1
        return self.observation_space.sample(), np.float64(1.5), self.num_steps >= 10, False, {}


class Words(spaces.Space[str]):
    """A space of a package's own, of which Gymnasium makes no vector."""

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        return "find the key"


class Drawing(Echo):
    """Draws for people unless it is told not to, and has no pictures."""

    metadata = {"render_modes": ["human"], "render_fps": 5}  # noqa: RUF012

    def __init__(self, render_mode: str | None = "human") -> None:
        super().__init__(observations=spaces.Box(0, 1, (2,)), actions=spaces.Discrete(2))
        self.render_mode = render_mode


class AlwaysDrawing(Drawing):
    """Takes no other mode."""

    def __init__(self, render_mode: str | None = "human") -> None:
        assert render_mode in self.metadata["render_modes"]
        super().__init__(render_mode)


gymnasium.register(id="ScoutDrawing-v0", entry_point=f"{__name__}:Drawing")
gymnasium.register(id="ScoutAlwaysDrawing-v0", entry_point=f"{__name__}:AlwaysDrawing")
gymnasium.register(
    id="ScoutCartPoleOnScreen-v0",
    entry_point="gymnasium.envs.classic_control:CartPoleEnv",
    kwargs={"render_mode": "human"},
)

VECTOR = "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv"
gymnasium.register(id="ScoutVector-v0", vector_entry_point=VECTOR)
gymnasium.register(id="ScoutVectorAsOne-v0", entry_point=VECTOR, kwargs={"num_envs": 2})

SPACES = {
    "Matrix": (spaces.Box(-1, 1, (2, 3), np.float64), spaces.Discrete(3, start=-1)),
    "Image": (spaces.Box(0, 255, (50, 60, 3), np.uint8), spaces.Box(-1, 1, (2, 2), np.float32)),
    "Dictionary": (spaces.Dict(a=spaces.Box(0, 1, (2,))), spaces.Discrete(2)),
    "Pair": (spaces.Tuple((spaces.Box(0, 1, (2,)), spaces.Discrete(2))), spaces.Discrete(2)),
    "ManyActions": (spaces.Box(0, 1, (2,)), spaces.MultiDiscrete([2, 3])),
    "WholeActions": (spaces.Box(0, 1, (2,)), spaces.Box(0, 9, (2,), np.int64)),
}

for name, (observations, actions) in SPACES.items():
    gymnasium.register(
        id=f"Scout{name}-v0",
        entry_point=Echo,
        kwargs={"observations": observations, "actions": actions},
        max_episode_steps=7,
    )
