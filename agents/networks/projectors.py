"""The heads between features and a self-supervised loss.

Their layers start as PyTorch's own do, uniform within ±1/√fan_in: the normalisation takes the scale
out of all but the last, and the losses take it out of that one (the papers say nothing else).
"""

import itertools

from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.networks.batch_norm import GlobalBatchNorm
from agents.networks.layers import FullPrecisionLinear


class Projector(nn.Module):
    """Linear, batch normalisation, rectifier, linear: BYOL's projector, and its predictor.

    Grill et al. 2020, arXiv 2006.07733, section 3.3. The first layer has no bias: the normalisation
    would subtract it.

    Args:
        in_features: width of the input.
        hidden_size: width of the hidden layer.
        out_features: D, width of the output.
    """

    def __init__(self, in_features: int, hidden_size: int, out_features: int) -> None:
        super().__init__()
        self.feature_size = out_features
        self.layers = nn.Sequential(
            *_normalized_layer(in_features, hidden_size),
            FullPrecisionLinear(hidden_size, out_features),
        )

    def forward(self, features: Float[Tensor, "B F"]) -> Float32[Tensor, "B D"]:
        """Project features [B, in_features] to float32 [B, D]; all ranks call it together."""
        projection: Tensor = self.layers(features)
        return projection


class ExpanderProjector(nn.Module):
    """Barlow Twins' projector: normalised and rectified linear layers, then a linear one.

    Zbontar et al. 2021, arXiv 2103.03230, section 2.3: three layers of 8192. No layer has a bias,
    as in the paper's code: what follows each of them subtracts the mean.

    Args:
        in_features: width of the input.
        sizes: widths of the layers; the last is D, the output.

    Raises:
        ValueError: no sizes.
    """

    def __init__(self, in_features: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        if not sizes:
            raise ValueError("a projector without layers: `sizes` is empty")
        self.feature_size = sizes[-1]
        *widths, last = (in_features, *sizes)
        hidden = [_normalized_layer(*pair) for pair in itertools.pairwise(widths)]
        self.layers = nn.Sequential(
            *itertools.chain.from_iterable(hidden),
            FullPrecisionLinear(widths[-1], last, bias=False),
        )

    def forward(self, features: Float[Tensor, "B F"]) -> Float32[Tensor, "B D"]:
        """Project features [B, in_features] to float32 [B, D]; all ranks call it together."""
        projection: Tensor = self.layers(features)
        return projection


def _normalized_layer(in_features: int, out_features: int) -> tuple[nn.Module, ...]:
    return (
        nn.Linear(in_features, out_features, bias=False),
        GlobalBatchNorm(out_features),
        nn.ReLU(),
    )
