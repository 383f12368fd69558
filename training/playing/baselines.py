"""Players that know nothing, for whose score a policy's has to be looked at."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor

from configs.schema import Config
from training.building.seeding import make_generator
from training.playing.player import GamePlayer
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import NO_BOUND

CPU = torch.device("cpu")


class Nothing:
    """Choice 0, or zeros; see `GamePlayer`.

    Args:
        spec: the environment, whose actions are in its own units.
        seed: of what is drawn, where something is.
    """

    def __init__(self, spec: EnvironmentSpec, seed: int) -> None:
        self.spec = spec
        self.device = CPU
        self._generator = make_generator(seed, "actions at random", 0, CPU)

    def reseeded(self, seed: int) -> Self:
        """Return the same player with draws from `seed`."""
        return type(self)(self.spec, seed)

    def remember(self, observations: Tensor) -> "_Count":
        """Return how many episodes there are."""
        return _Count(len(observations))

    def act(self, count: "_Count") -> Tensor:
        """Return the actions [n] or [n, A]."""
        if self.spec.discrete:
            return torch.zeros(count.n, dtype=torch.int64)
        return torch.zeros(count.n, self.spec.num_actions)


class Random(Nothing):
    """Any choice, or anything between the bounds; -1 to 1 where one is missing."""

    def act(self, count: "_Count") -> Tensor:
        """Return the actions [n] or [n, A]."""
        if self.spec.discrete:
            return torch.randint(self.spec.num_actions, (count.n,), generator=self._generator)
        low, high = (
            torch.tensor([bound if abs(bound) < NO_BOUND else default for bound in side])
            for side, default in ((self.spec.action_low, -1.0), (self.spec.action_high, 1.0))
        )
        drawn = torch.rand(count.n, self.spec.num_actions, generator=self._generator)
        return low + (high - low) * drawn


class _Count:
    """All that is remembered: how many environments there are."""

    def __init__(self, n: int) -> None:
        self.n = n

    def push(self, observations: Tensor, starts: Tensor) -> None:
        """Forget what came."""


BASELINES: Mapping[str, Callable[[EnvironmentSpec, int], GamePlayer]] = {
    "random": Random,
    "nothing": Nothing,
}


def in_units_of_the_environment(config: Config) -> Config:
    """Return a configuration whose continuous actions are in the environment's own units."""
    update: dict[str, Any] = {"action_mapping": "clip"}
    environment = config.environment.model_copy(update=update)
    return config.model_copy(update={"environment": environment})
