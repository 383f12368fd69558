"""How weights start."""

from typing import TypeVar

import torch
from torch import nn

LayerT = TypeVar("LayerT", nn.Linear, nn.Conv2d)


def orthogonal_(module: LayerT, gain: float) -> LayerT:
    """Set the weight to a random orthogonal matrix times `gain`, the bias to zero; in place.

    Saxe et al. 2013, arXiv 1312.6120. A convolution's weight [out, in, kH, kW] counts as the
    matrix [out, in * kH * kW]. Draws from torch's global generator.

    Args:
        module: a linear or convolutional layer.
        gain: √2 before a rectifier; 0 gives an output of zeros.

    Returns:
        The module itself.
    """
    # Drawn apart: torch's own refuses a weight that lies channels last.
    drawn = torch.empty_like(module.weight, memory_format=torch.contiguous_format)
    with torch.no_grad():
        module.weight.copy_(nn.init.orthogonal_(drawn, gain))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
