"""A policy that gives one action for an observation, without chance."""

import itertools

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.networks.layers import FullPrecisionLinear


class DeterministicActor(nn.Module):
    """π(s) = tanh of a multilayer perceptron with rectifiers.

    Fujimoto et al. 2018, arXiv 1802.09477, appendix C. Weights start as torch's do.

    Args:
        in_features: D, width of the input.
        hidden_sizes: widths of the hidden layers.
        num_actions: A.
    """

    def __init__(self, in_features: int, hidden_sizes: tuple[int, ...], num_actions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((in_features, *hidden_sizes)):
            layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.head = FullPrecisionLinear(hidden_sizes[-1], num_actions)

    def forward(self, features: Float[Tensor, "B D"]) -> Float32[Tensor, "B A"]:
        """Return actions [B, A] within -1 and 1 for features [B, D]."""
        return torch.tanh(self.head(self.layers(features)))
