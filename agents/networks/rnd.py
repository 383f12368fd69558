"""Target and predictor of random network distillation.

Burda et al. 2018, arXiv 1810.12894, and `define_self_prediction_rew` of its code. Both are made by
the same classes, one after the other, so their starts are different draws. Freezing the target is
its owner's task.
"""

from jaxtyping import Float, Float32
from torch import Tensor, nn

from agents.networks.initialization import orthogonal_
from agents.networks.layers import (
    HIDDEN_GAIN,
    FullPrecisionLinear,
    convolved_size,
    dense_layers,
    frame_convolutions,
)

THIRD_KERNEL = 3  # the policy's is 4 in the paper's code


class FrameEncoder(nn.Module):
    """Three convolutions with leaky rectifiers over one normalised frame, then dense layers.

    Args:
        height, width: of the frame, in pixels.
        conv_channels: output channels of the three convolutions.
        feature_size: D, width of the output.
        extra_hidden: widths of rectified layers before the output: none for the target, two for
            the predictor, which must be able to fit whatever the target computes.
        leaky_slope: negative slope after the convolutions.

    Raises:
        ValueError: the frame is too small for the convolutions.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        conv_channels: tuple[int, ...],
        feature_size: int,
        extra_hidden: tuple[int, ...],
        leaky_slope: float,
    ) -> None:
        super().__init__()
        self.feature_size = feature_size
        sizes = (convolved_size(conv_channels[-1], height, width, THIRD_KERNEL), *extra_hidden)
        self.layers = nn.Sequential(
            frame_convolutions(1, conv_channels, THIRD_KERNEL, nn.LeakyReLU(leaky_slope)),
            dense_layers(sizes, nn.ReLU()),
            orthogonal_(FullPrecisionLinear(sizes[-1], feature_size), HIDDEN_GAIN),
        )

    def forward(self, frames: Float[Tensor, "B 1 H W"]) -> Float32[Tensor, "B D"]:
        """Encode normalised frames [B, 1, H, W] as [B, D]."""
        features: Tensor = self.layers(frames)
        return features


class VectorEncoder(nn.Module):
    """Dense layers with leaky rectifiers over one normalised state vector.

    Args:
        in_features: width of the observation.
        hidden_sizes: widths of the hidden layers.
        feature_size: D, width of the output.
        leaky_slope: negative slope after the hidden layers.
    """

    def __init__(
        self,
        in_features: int,
        hidden_sizes: tuple[int, ...],
        feature_size: int,
        leaky_slope: float,
    ) -> None:
        super().__init__()
        self.feature_size = feature_size
        sizes = (in_features, *hidden_sizes)
        self.layers = nn.Sequential(
            dense_layers(sizes, nn.LeakyReLU(leaky_slope)),
            orthogonal_(FullPrecisionLinear(sizes[-1], feature_size), HIDDEN_GAIN),
        )

    def forward(self, observation: Float[Tensor, "B S"]) -> Float32[Tensor, "B D"]:
        """Encode normalised vectors [B, in_features] as [B, D]."""
        features: Tensor = self.layers(observation)
        return features
