"""Environments and policies that collections are tried with."""

import os
import signal
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

SIDE = 44
STEPS = 20
KILLED_ONCE = "SCOUT_TEST_KILLED_ONCE"  # names the file that says that a worker was killed


class Noise(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """Pictures that do not compress, and a state; an episode lasts 10 to 30 steps."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - gymnasium's own form
    state_names = ("step", "drawn")
    label_names = ("half",)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (SIDE, SIDE), np.uint8)
        self.action_space = spaces.Discrete(3)
        self._step = self._last = 0
        self._drawn = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        self._last = int(self.np_random.integers(10, 30)) | 1  # not the limit
        return self._picture(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        self._step += 1
        self.on_step()
        return self._picture(), 0.1 + float(action) * 3, self._step == self._last, False, {}

    def on_step(self) -> None:
        """Do nothing."""

    def state(self) -> NDArray[np.float32]:
        return np.array([self._step, self._drawn], np.float32)

    def labels(self) -> NDArray[np.float32]:
        return np.array([self._step / 2], np.float32)

    def render(self) -> NDArray[np.uint8]:
        return np.zeros((SIDE, SIDE, 3), np.uint8)

    def _picture(self) -> NDArray[np.uint8]:
        self._drawn = float(self.np_random.random())
        return self.np_random.integers(0, 256, (SIDE, SIDE), np.uint8)


class Killing(Noise):
    """Noise that kills its process once, in the midst of an episode."""

    def on_step(self) -> None:
        mark = os.environ[KILLED_ONCE]
        if self._step == 5 and not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)


class Shifted(Noise):
    """Noise whose choices are -1, 0 and 1."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = spaces.Discrete(3, start=-1)


class Endless(Noise):
    """Noise whose episodes have no limit."""


class Dictionaries(Noise):
    """Observations of a kind that cannot be stored."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = spaces.Dict({"a": spaces.Discrete(2)})  # type: ignore[assignment]


class AlwaysOne:
    """Chooses 1."""

    def __call__(self, observation: NDArray[Any]) -> int:
        assert observation.shape == (SIDE, SIDE, 1)
        return 1


class Seeded:
    """Draws from the seed that it is given; remembers how far the episode is."""

    def reset(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, observation: NDArray[Any]) -> np.int64:
        return self._random.integers(3)


class Raises:
    """Fails at its first action."""

    def __call__(self, observation: NDArray[Any]) -> int:
        raise ZeroDivisionError("no such luck")


class Wrong:
    """Returns an action that there is not."""

    def __call__(self, observation: NDArray[Any]) -> list[float]:
        return [0.5, 0.5]


class Far:
    """Returns numbers beyond all bounds."""

    def __call__(self, observation: NDArray[Any]) -> float:
        return 5.0


def made_by_a_function() -> AlwaysOne:
    """Return a policy, as a class would."""
    return AlwaysOne()


for _name in ("Noise", "Killing", "Shifted", "Dictionaries"):
    _place = f"{__name__}:{_name}"
    gymnasium.register(id=f"{_name}-v0", entry_point=_place, max_episode_steps=STEPS)
gymnasium.register(id="Endless-v0", entry_point=f"{__name__}:Endless")
