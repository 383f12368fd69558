"""How weights start."""

from typing import TypeVar

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
    nn.init.orthogonal_(module.weight, gain)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
