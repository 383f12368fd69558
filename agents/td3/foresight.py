"""What follows an action by a model that was trained beforehand, for critics to look at."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.encoders.transition import Transition


class Foresight(nn.Module):
    """M(s, a): the next state as a trained model foretells it, standardised.

    Args:
        model: of the environment's state vectors, or of features in their place.
        offset, scale: the action in the environment's units is offset + scale * a, A values each.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, model: Transition, offset: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.size = model.encoder.feature_size
        self.register_buffer("offset", torch.tensor(tuple(offset)).float())
        self.register_buffer("scale", torch.tensor(tuple(scale)).float())

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return what follows vectors [B, S] under actions [B, A] from -1 to 1, as [B, S]."""
        states, _ = self.model.encoder.encode(observations)
        return self.model.predict(states, self.offset + self.scale * actions)
