"""A checkpoint of Scout's as the policy that collects."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.playing.player import GamePlayer, Memory
from workers.environments.parts.actions import in_units

_NOT_ENDED = torch.zeros(1, dtype=torch.bool)


class CheckpointPolicy:
    """Acts for one environment.

    Observations are judged one by one: in a batch the last bits of a result depend on how many
    there are, and an episode would hang on what is played beside it.
    """

    def __init__(self, player: GamePlayer) -> None:
        self._player = player
        self._memory: Memory | None = None

    def reset(self, seed: int) -> None:
        """Forget the last frames, and sample from `seed` from now on."""
        self._memory = None
        self._player = self._player.reseeded(seed)

    def act(self, observation: NDArray[Any]) -> Any:
        """Return the policy's action in the environment's units."""
        player = self._player
        seen = torch.from_numpy(observation[np.newaxis]).to(player.device)
        if self._memory is None:
            self._memory = player.remember(seen)
        else:
            self._memory.push(seen, _NOT_ENDED.to(player.device))
        action = player.act(self._memory)[0]
        return int(action) if player.spec.discrete else in_units(player.spec, action.numpy())
