"""A controller at play, outside of training. It draws nothing."""

from typing import Self

import torch
from torch import Tensor

from agents.controllers.sight import Seen, Sight
from workers.environments.base import EnvironmentSpec


class ControllerPlayer:
    """One controller in n environments; see `GamePlayer`.

    Args:
        sight: what it sees.
        parameters: its own, [N].
        spec: the environment.
    """

    def __init__(self, sight: Sight, parameters: Tensor, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.device = sight.device
        self.sight = sight
        self._parameters = parameters.to(sight.device, torch.float32)

    def reseeded(self, seed: int) -> Self:
        """Return this player: it draws nothing."""
        del seed
        return self

    def remember(self, observations: Tensor) -> Seen:
        """Return what is seen of episodes that begin with `observations` [n, ...]."""
        return self.sight.open(observations)

    def act(self, seen: Seen) -> Tensor:
        """Return the actions [n, A] or choices [n], on the CPU."""
        return seen.act(self._parameters.expand(seen.num_environments, -1))
