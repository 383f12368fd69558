"""What a dream is: a model of sequences that follows its own predictions.

Ha and Schmidhuber 2018, "World Models", arXiv 1803.10122, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.prediction import State


class Moment(NamedTuple):
    """Where n dreams are.

    Attributes:
        latents: [n, D], in the dataset's units.
        state: what the model remembers of the way there, [n, ...] each.
    """

    latents: Tensor
    state: State


class Dreamt(NamedTuple):
    """What a step of n dreams came to.

    Attributes:
        moment: where they are now.
        rewards: float32 [n].
        ended: bool [n], whether the episode came to its own end.
    """

    moment: Moment
    rewards: Tensor
    ended: Tensor


@dataclass(frozen=True)
class Dream:
    """A model at its own mercy: what it draws is what it sees next.

    Attributes:
        model: in evaluation mode, with starts.
        temperature: of what is drawn, see `Dynamics.sample`.
    """

    model: Dynamics
    temperature: float

    def begin(self, generator: torch.Generator) -> Moment:
        """Return a dream that begins at one of the model's starts, any with equal probability."""
        starts = self.model.starts
        chosen = torch.randint(len(starts), (1,), generator=generator)
        return Moment(starts[chosen], self.model.initial_state(1))

    @torch.no_grad()
    def step(
        self, moment: Moment, actions: Tensor, generators: Sequence[torch.Generator]
    ) -> Dreamt:
        """Take a step in n dreams at once, each with a stream of its own.

        An episode ends where the model holds that for likelier than not. Ends are rare: drawn with
        their probability, small errors of it would end most episodes early.

        Args:
            moment: where they are.
            actions: float32 [n, A] in the environment's units, or choices int64 [n].
            generators: n, on the CPU.
        """
        prediction, state = self.model.step(moment.latents, actions, moment.state)
        D, K = prediction.means.shape[1:]
        drawn = [(torch.rand(D, K, generator=g), torch.randn(D, generator=g)) for g in generators]
        uniform, noise = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        latents = self.model.drawn(prediction, uniform, noise, self.temperature)
        return Dreamt(Moment(latents, state), prediction.rewards, prediction.end_logits > 0)
