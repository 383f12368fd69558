"""Convolutions and a linear layer: the encoder that losses on features alone train."""

from torch import Tensor, nn

from agents.encoders.encoder import Encoder, Latents
from agents.encoders.preprocessing import FramePreprocessing
from agents.networks.image_encoders import StridedConvolutions
from agents.networks.layers import FullPrecisionLinear

WIDTHS, KERNEL = (32, 64, 128, 256), 4  # Ha and Schmidhuber 2018, arXiv 1803.10122, A.1


class ConvolutionEncoder(Encoder):
    """The convolutions of the VAE, and a linear layer to the features.

    Args:
        preprocessing: of frames.
        feature_size: D.
    """

    kind = "convolutions"

    def __init__(self, preprocessing: FramePreprocessing, *, feature_size: int) -> None:
        super().__init__(preprocessing, feature_size, {"feature_size": feature_size})
        convolutions = StridedConvolutions(
            preprocessing.channels,
            preprocessing.height,
            preprocessing.width,
            widths=WIDTHS,
            kernel=KERNEL,
        )
        self.network = nn.Sequential(
            convolutions, FullPrecisionLinear(convolutions.output_size, feature_size)
        )

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Encode pictures [B, C, H, W]."""
        del memory
        return Latents(self.network(inputs), None), None
