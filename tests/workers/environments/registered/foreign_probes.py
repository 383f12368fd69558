"""Environments as strangers write them: small, plain Gymnasium, and wrong where they are told."""

import random
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LENGTH = 6


class Lamp(gymnasium.Env[Any, Any]):
    """Two switches and two lights; an episode has six steps.

    `answers` are given in the place of its own.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form
    observation_space: Any = spaces.Box(-1000.0, 1000.0, (2,), np.float32)
    action_space: Any = spaces.Discrete(2)

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.count = 0
        self.last_action: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.count = 0
        return self.answers.get("first", self.lights()), self.answers.get("info", {})

    def step(self, action: Any) -> Any:
        self.last_action = action
        self.count += 1
        own = {
            "observation": self.lights(),
            "reward": 0.5,
            "terminated": self.count >= LENGTH,
            "truncated": False,
            "info": {},
        }
        return tuple((own | {k: v for k, v in self.answers.items() if k in own}).values())

    def lights(self) -> Any:
        return np.array([self.count / 10, 1], np.float32)


class Screen(Lamp):
    """The lights as an image."""

    observation_space = spaces.Box(0, 255, (40, 50, 3), np.uint8)

    def lights(self) -> Any:
        return np.full((40, 50, 3), self.count, np.uint8)


class ManySwitches(Lamp):
    """Takes several choices at once."""

    action_space = spaces.MultiDiscrete([2, 3])


class Itemizer(Lamp):
    """Takes a choice for what `Discrete.sample` gives."""

    def step(self, action: Any) -> Any:
        assert action.dtype == self.action_space.dtype
        return super().step(action.item())


class OldReset(Lamp):
    """Is seeded by `seed`, and its reset returns an observation alone."""

    def seed(self, seed: int | None = None) -> None:
        self.answers = {}

    def reset(self) -> Any:  # type: ignore[override]
        self.count = 0
        return self.lights()


class OldAnswers(Lamp):
    """Takes a seed, and answers as before all the same."""

    def reset(self, **arguments: Any) -> Any:
        return super().reset(**arguments)[0]


class OldStep(Lamp):
    """Says `done`."""

    def step(self, action: Any) -> Any:
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, info


class NeverResets(Lamp):
    """Raises in every reset, each time in other words."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        raise RuntimeError(f"the fuse for {seed} is missing")


class Confused(Lamp):
    """Raises a TypeError of its own in its reset."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return len(5)  # type: ignore[arg-type]


class Dice(Lamp):
    """Shows what it draws, when made and at every step, from a stream that it does not own.

    `kind`: "numpy", "normal", "python", "space" or "own" (which nobody has seeded).
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.built = 0.0 if kind in ("space", "own") else self.draw()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.count = 0  # hands no seed on
        return self.lights(), {}

    def lights(self) -> Any:
        return np.array([self.built, self.draw()], np.float32)

    def draw(self) -> float:
        match self.kind:
            case "numpy":
                return float(np.random.uniform())  # noqa: NPY002 - what this is about
            case "normal":
                return float(np.random.randn())  # noqa: NPY002 - the same
            case "python":
                return random.gauss(0, 1)
            case "space":
                return float(self.observation_space.sample()[0])
            case _:
                return float(self.np_random.uniform())


class Words(Dice):
    """Shows a word's hash, by which a set is ordered, beside what it draws."""

    def lights(self) -> Any:
        return np.array([hash("lamp") % 997, self.draw()], np.float32)
