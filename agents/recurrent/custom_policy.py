"""A model of the user's that remembers, as the policy: held to what it must return."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from agents.custom_policy import CustomPolicy, Shape, of_the_user, told
from agents.networks.actor_critic import PolicyOutput
from agents.networks.episode_runs import EpisodeRuns
from agents.networks.recurrent_actor_critic import Sequences
from configs.errors import ConfigurationError


class RecurrentCustomPolicy(CustomPolicy):
    """A model with a memory: (observations, state) -> (outputs, values, state), along sequences.

    Observations are [L, B, ...], L steps of B episodes, outputs and values of as many; a state is
    one tensor [B, ...] or several, as `get_initial_state` has them without a batch. In learning
    pieces of episodes lie side by side, so that no start is met on the way. Both are computed in
    float32 whatever the precision around them, as by Scout's own (see recurrent_core).

    Args:
        state_shapes: of the parts of a state, without the batch.
        others: as those of a CustomPolicy.

    Attributes:
        state_shapes: as given.

    Raises:
        ConfigurationError: (forward, step) the model raises, or returns something else.
    """

    def __init__(self, *others: nn.Module, state_shapes: Sequence[Shape], **more: Any) -> None:
        super().__init__(*others, **more)
        self.state_shapes = tuple(state_shapes)

    @property
    def memory_size(self) -> int:
        """M, the numbers of all parts of a state."""
        return sum(map(math.prod, self.state_shapes))

    def forward(self, sequences: Sequences) -> PolicyOutput:  # type: ignore[override]
        """Judge sequences: L * B rows in their order; after single steps with the memory then."""
        observations, memory, starts = sequences
        if len(starts) == 1:
            return self.step(observations, memory * ~starts[0].unsqueeze(1))
        runs = EpisodeRuns.within(starts)
        seen = self.scaling(observations).float().unflatten(0, starts.shape)
        outputs, values, _ = self._along(runs.lay_out(seen), runs.before(memory))
        return self._output(*(runs.take_back(part).flatten(0, 1) for part in (outputs, values)))

    def step(self, observations: Tensor, memory: Tensor) -> PolicyOutput:
        """Judge one observation [B, ...] of each of B episodes, after `memory` [B, M]."""
        seen = self.scaling(observations).float().unsqueeze(0)
        outputs, values, after = self._along(seen, memory)
        return self._output(outputs.squeeze(0), values.squeeze(0), after)

    def _along(self, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return outputs, values and what is remembered after sequences [L, B, ...]."""
        sizes = list(map(math.prod, self.state_shapes))
        state = [
            part.contiguous().view(part.shape[0], *shape)  # len() would fix a graph's batch
            for part, shape in zip(memory.split(sizes, dim=1), self.state_shapes, strict=True)
        ]
        with torch.autocast(seen.device.type, enabled=False):
            with of_the_user(self.source, "forward"):
                returned: Any = self.model(seen, state)
            *said, after = self._parts(returned, seen.shape[0], seen.shape[1])
        rows = [part.float().reshape(part.shape[0], -1) for part in after]
        outputs, values = said
        return outputs, values, torch.cat(rows, dim=1)

    def _parts(self, returned: Any, steps: int, batch: int) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return outputs, values and state, if that is what they are."""
        shapes = self._shapes((steps, batch))
        states = {
            f"state {index}": (batch, *shape) for index, shape in enumerate(self.state_shapes)
        }
        wanted = [list(shape) for shape in (*shapes.values(), *states.values())]
        if not isinstance(returned, tuple) or len(returned) != 3:
            raise ConfigurationError(
                f"{self.source}: forward returned {told(returned)}; with get_initial_state it "
                "returns three, (outputs, values, state), a state being a list of tensors; here of "
                f"{wanted[0]}, {wanted[1]} and {wanted[2:]}"
            )
        *said, after = returned
        if not isinstance(after, list | tuple) or len(after) != len(states):
            raise ConfigurationError(
                f"{self.source}: forward returned {told(after)} as the state, and a list of "
                f"{len(states)} as from get_initial_state is wanted, here of {wanted[2:]}"
            )
        self._check_shapes((*said, *after), shapes | states, (steps, batch))
        outputs, values = said
        return outputs, values, list(after)
