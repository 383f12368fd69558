"""What turns an observation into the policy's features."""

from jaxtyping import Float, Num
from torch import Tensor, nn

from agents.networks.layers import (
    PixelConvolution,
    convolved_size,
    dense_layers,
    frame_convolutions,
)


class FrameBackbone(nn.Module):
    """Three convolutions and two dense layers over stacked frames, rectified throughout.

    The policy of Burda et al. 2018 (arXiv 1810.12894, `cnn_policy_param_matched.py` of its code).

    Args:
        in_channels: C, frames in the stack times channels of a frame.
        height, width: of a frame, in pixels.
        conv_channels: output channels of the three convolutions.
        third_kernel: kernel of the third convolution, 4 in the paper's code, 3 elsewhere.
        hidden_size: width of the first dense layer.
        feature_size: D, width of the second, the output.

    Raises:
        ValueError: the frame is too small for the convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        height: int,
        width: int,
        *,
        conv_channels: tuple[int, ...],
        third_kernel: int,
        hidden_size: int,
        feature_size: int,
    ) -> None:
        super().__init__()
        self.feature_size = feature_size
        flat_size = convolved_size(conv_channels[-1], height, width, third_kernel)
        self.convolutions = frame_convolutions(
            in_channels, conv_channels, third_kernel, nn.ReLU(), PixelConvolution
        )
        self.dense = dense_layers((flat_size, hidden_size, feature_size), nn.ReLU())

    def forward(self, frames: Num[Tensor, "B C H W"]) -> Float[Tensor, "B D"]:
        """Encode frames [B, C, H, W] of raw values 0 to 255, uint8 or floating point.

        Either memory format will do.

        Returns:
            [B, D], not negative.
        """
        features: Tensor = self.dense(self.convolutions(frames))
        return features


class VectorBackbone(nn.Module):
    """A multilayer perceptron with hyperbolic tangents, for state vectors.

    Args:
        in_features: width of the input.
        hidden_sizes: widths of the layers; the last is D, the output.
    """

    def __init__(self, in_features: int, hidden_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.feature_size = hidden_sizes[-1]
        self.layers = dense_layers((in_features, *hidden_sizes), nn.Tanh())

    def forward(self, observation: Float[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        """Encode vectors [B, in_features] as [B, D], within -1 and 1."""
        features: Tensor = self.layers(observation)
        return features
