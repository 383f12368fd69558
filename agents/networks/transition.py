"""What follows a state under an action, as a change of it."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.networks.initialization import orthogonal_
from agents.networks.layers import FullPrecisionLinear, dense_layers

_START_GAIN = 0.01  # at first nothing changes, which is a good guess already


class ResidualTransition(nn.Module):
    """ŝ' = s + f(s, a): a multilayer perceptron learns the difference.

    Nagabandi et al. 2018, arXiv 1708.02596, equation 1: neighbouring states are so alike that
    predicting them whole would mostly learn to copy.

    Args:
        feature_size: D of a state or code.
        action_size: A numbers of an action.
        hidden_sizes: widths of the hidden layers.
    """

    def __init__(self, feature_size: int, action_size: int, hidden_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.change = nn.Sequential(
            dense_layers((feature_size + action_size, *hidden_sizes), nn.ReLU()),
            orthogonal_(FullPrecisionLinear(hidden_sizes[-1], feature_size), _START_GAIN),
        )

    def forward(
        self, states: Float[Tensor, "B D"], actions: Float[Tensor, "B A"]
    ) -> Float32[Tensor, "B D"]:
        """Predict what follows states [B, D] under actions [B, A]."""
        states = states.float()
        following: Tensor = states + self.change(torch.cat([states, actions.float()], dim=1))
        return following
