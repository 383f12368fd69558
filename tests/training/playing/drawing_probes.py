"""Games of a few steps that differ in what they draw."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

STEPS = 6


class Drawing(gymnasium.Env[Any, Any]):
    """Draws as its `form` says; counts its steps."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, form: str, render_mode: str | None = None) -> None:
        self.form, self.render_mode = form, render_mode
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.num_steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.num_steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.num_steps += 1
        return np.zeros(2, np.float32), 1.0, self.num_steps >= STEPS, False, {}

    def render(self) -> Any:
        match self.form:
            case "grows":
                return np.full((40 + 3 * self.num_steps, 50 - self.num_steps, 3), 200, np.uint8)
            case "floats":
                return np.full((40, 50, 3), self.num_steps / STEPS)
            case "stops" if self.num_steps < 3:
                return np.zeros((40, 50, 3), np.uint8)
            case "raises":
                raise OSError("no display")
        return None


class WithoutMetadata(Drawing):
    """Has none, as an older class may."""

    metadata: Any = None


class WithoutModes(Drawing):
    """Names no modes."""

    metadata: Any = {"render_modes": None}  # noqa: RUF012


for form in ("grows", "floats", "stops", "raises", "nothing"):
    gymnasium.register(
        id=f"Scout{form.title()}-v0",
        entry_point=f"{__name__}:Drawing",
        kwargs={"form": form},
        disable_env_checker=True,
    )
for name in ("WithoutMetadata", "WithoutModes", "Nowhere"):
    gymnasium.register(
        id=f"Scout{name}-v0",
        entry_point=f"{__name__}:{name}",
        kwargs={"form": "grows"},
        disable_env_checker=True,
    )
