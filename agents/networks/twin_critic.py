"""Two critics of one shape, computed side by side."""

import itertools
import math

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn


def start_evenly(weight: nn.Parameter, bias: nn.Parameter) -> None:
    """Draw weights [2, I, O], then biases, evenly within ±1/√I, as torch.nn.Linear's start."""
    bound = 1.0 / math.sqrt(weight.shape[1])
    nn.init.uniform_(weight, -bound, bound)
    nn.init.uniform_(bias, -bound, bound)


class TwinLinear(nn.Module):
    """Two linear layers, each for its own input: one batched product in the place of two.

    Args:
        in_features: I.
        out_features: O.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, in_features, out_features))
        self.bias = nn.Parameter(torch.empty(2, 1, out_features))
        start_evenly(self.weight, self.bias)

    def forward(self, inputs: Float[Tensor, "2 B I"]) -> Float[Tensor, "2 B O"]:
        """Map both inputs [2, B, I] to [2, B, O], each by its own layer."""
        return torch.baddbmm(self.bias, inputs, self.weight)

    def first(self, inputs: Float[Tensor, "B I"]) -> Float[Tensor, "B O"]:
        """Map [B, I] by the first layer, whose weights get no gradient by that."""
        return torch.addmm(self.bias[0].detach(), inputs, self.weight[0].detach())


class TwinHead(nn.Module):
    """Two linear layers with one output each, in float32 whatever the precision around them.

    A sum of products: the kernels of a batched matrix product take several times as long for a
    single column, and autocast leaves multiplication and sum alone.

    Args:
        in_features: I.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, in_features, 1))
        self.bias = nn.Parameter(torch.empty(2, 1, 1))
        start_evenly(self.weight, self.bias)

    def forward(self, inputs: Float[Tensor, "2 B I"]) -> Float32[Tensor, "2 B"]:
        """Map both inputs [2, B, I] to float32 [2, B], each by its own layer."""
        return _weighed(inputs, self.weight.transpose(1, 2), self.bias.squeeze(2))

    def first(self, inputs: Float[Tensor, "B I"]) -> Float32[Tensor, " B"]:
        """Map [B, I] by the first layer, whose weights get no gradient by that."""
        return _weighed(inputs, self.weight[0].detach().t(), self.bias[0, 0].detach())


def _weighed(inputs: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return (inputs.float() * weights).sum(-1) + bias


class TwinCritic(nn.Module):
    """Q_1(s, a) and Q_2(s, a): two multilayer perceptrons with rectifiers.

    Fujimoto et al. 2018, arXiv 1802.09477, appendix C.

    Args:
        in_features: I, numbers of what is known of state and action together.
        hidden_sizes: widths of the hidden layers.
    """

    def __init__(self, in_features: int, hidden_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwinLinear(before, after)
            for before, after in itertools.pairwise((in_features, *hidden_sizes))
        )
        self.head = TwinHead(hidden_sizes[-1])

    def forward(self, inputs: Float[Tensor, "B I"]) -> Float32[Tensor, "2 B"]:
        """Return both values [2, B] of states and actions side by side, [B, I]."""
        hidden = inputs.expand(2, *inputs.shape)
        for layer in self.layers:
            hidden = layer(hidden).relu_()
        values: Tensor = self.head(hidden)
        return values

    def first(self, inputs: Float[Tensor, "B I"]) -> Float32[Tensor, " B"]:
        """Return Q_1 [B], with a gradient to the inputs and none to the critic."""
        hidden = inputs
        for layer in self.layers:
            assert isinstance(layer, TwinLinear)
            hidden = layer.first(hidden).relu_()
        return self.head.first(hidden)
