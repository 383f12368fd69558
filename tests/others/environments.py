"""Small environments, registered as a user's package would do it, that show a certain fault."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import Autoreset
from numpy.typing import NDArray

from configs.schema import EnvironmentSection
from workers.environments.base import Environment
from workers.environments.make import make_environment

Step = tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]


class Counted(gymnasium.Env[Any, Any]):
    """Observes [actions obeyed in all, steps of this episode, 0]; four choices."""

    observation_space = spaces.Box(0, 1e6, (3,), np.float32)
    action_space = spaces.Discrete(4)

    def __init__(self) -> None:
        self.obeyed = self.steps = self.episodes = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        self.episodes += 1
        return self.seen(), {}

    def seen(self) -> NDArray[np.float32]:
        return np.array([self.obeyed, self.steps, 0], np.float32)

    def advance(self) -> None:
        self.obeyed += 1
        self.steps += 1


class Obedient(Counted):
    """Pays the action it was given; every second episode is cut after 4 steps, the others end at 3.

    A step that obeys no action would pay nothing and count nothing.
    """

    def step(self, action: Any) -> Step:
        self.advance()
        cut = self.episodes % 2 == 0
        over = self.steps == (4 if cut else 3)
        return self.seen(), float(action), over and not cut, over and cut, {}


class Rich(Counted):
    """Pays 10,000 a step, three times, and then takes 5,000."""

    def step(self, action: Any) -> Step:
        del action
        self.advance()
        over = self.steps == 4
        return self.seen(), -5_000.0 if over else 10_000.0, over, False, {}


class Steady(Counted):
    """Pays nothing for the first step of an episode and 1 for every other; never ends by itself.

    It observes [whether the first step is done, 0, 0]: nothing tells that a limit draws near.
    """

    observation_space = spaces.Box(-1, 3, (3,), np.float32)

    def seen(self) -> NDArray[np.float32]:
        return np.array([self.steps > 0, 0, 0], np.float32)

    def step(self, action: Any) -> Step:
        del action
        self.advance()
        return self.seen(), float(self.steps > 1), False, False, {}


class Uneven(Counted):
    """Games of 3 steps on rank 0, of 40 on all others, where a worker dies once, in its 25th step.

    The file that the variable DIED names tells that it has.
    """

    def step(self, action: Any) -> Step:
        del action
        self.advance()
        first, died = os.environ["RANK"] == "0", Path(os.environ["DIED"])
        if not first and self.obeyed == 25 and not died.exists():
            died.touch()
            os._exit(3)
        return self.seen(), 1.0, self.steps == (3 if first else 40), False, {}


def resets_itself() -> gymnasium.Env[Any, Any]:
    """An environment that answers the step after an end by a reset, and obeys no action then."""
    return Autoreset(Obedient())


gymnasium.register("OthersObedient-v0", f"{__name__}:Obedient")
gymnasium.register("OthersResetsItself-v0", f"{__name__}:resets_itself")
gymnasium.register("OthersRich-v0", f"{__name__}:Rich")
gymnasium.register("OthersUneven-v0", f"{__name__}:Uneven")
gymnasium.register("OthersSteady-v0", f"{__name__}:Steady", max_episode_steps=5)


def named(env_id: str) -> str:
    """Return the EnvID that imports this module."""
    return f"{__name__}:{env_id}"


def maker(env_id: str) -> Callable[[], Environment]:
    """Return what builds one of the above, in any process."""
    section = EnvironmentSection(
        env_type="gymnasium", env_id=named(env_id), max_episode_steps="auto"
    )
    return partial(make_environment, section)
