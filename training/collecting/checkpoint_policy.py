"""A checkpoint of Scout's as the policy that collects."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.recurrent.recollection import Recollection, recollection
from training.building.memory import memory_size
from training.building.stacking import stack_size
from training.playing.loaded_agent import LoadedPPO, judge_of
from training.playing.player import spec_from_text
from workers.environments.actions import in_units

_NOT_ENDED = torch.zeros(1, dtype=torch.bool)


class CheckpointPolicy:
    """Acts for one environment.

    Observations are judged one by one: in a batch the last bits of a result depend on how many
    there are, and an episode would hang on what is played beside it.
    """

    def __init__(self, agent: LoadedPPO, device: torch.device, *, greedy: bool) -> None:
        spec = spec_from_text(agent.payload["facts"]["spec"])
        self._judge, self._encoder = judge_of(agent.learner, device), agent.learner.encoder
        self._sizes = stack_size(agent.config, spec), memory_size(agent.config)
        self._spec, self._device, self._greedy = spec, device, greedy
        self._frames: Recollection | None = None
        self._generator = torch.Generator(device)

    def reset(self, seed: int) -> None:
        """Forget the episode, and sample from `seed` from now on."""
        self._frames = None
        self._generator.manual_seed(seed)

    @torch.no_grad()
    def act(self, observation: NDArray[Any]) -> Any:
        """Return the policy's action in the environment's units."""
        seen = torch.from_numpy(observation[np.newaxis]).to(self._device)
        if self._frames is None:
            self._frames = recollection(self._encoder, seen, *self._sizes)
        else:
            self._frames.push(seen, _NOT_ENDED.to(self._device))
        distribution, _, _, memory = self._judge(self._frames.policy_input)
        self._frames.keep(memory)
        action = distribution.mode() if self._greedy else distribution.sample(self._generator)
        action = action[0].cpu()
        return int(action) if self._spec.discrete else in_units(self._spec, action.numpy())
