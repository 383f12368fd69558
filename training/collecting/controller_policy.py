"""A controller of a checkpoint as the policy that collects. It draws nothing."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.controllers.sight import Seen
from training.playing.controller_player import ControllerPlayer

_NOT_ENDED = torch.zeros(1, dtype=torch.bool)


class ControllerPolicy:
    """Acts for one environment.

    Args:
        player: the controller, in the environment's own units.
    """

    def __init__(self, player: ControllerPlayer) -> None:
        self._player = player
        self._seen: Seen | None = None

    def reset(self, seed: int) -> None:
        """Forget the last episode."""
        del seed
        self._seen = None

    def act(self, observation: NDArray[Any]) -> Any:
        """Return the controller's action."""
        seen = torch.from_numpy(observation[np.newaxis])
        if self._seen is None:
            self._seen = self._player.remember(seen)
        else:
            self._seen.push(seen, _NOT_ENDED)
        action = self._player.act(self._seen)[0]
        return int(action) if self._player.spec.discrete else action.numpy()
