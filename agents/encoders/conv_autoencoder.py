"""The convolutional autoencoder of Deep TAMER, which looks twice at what moves.

Warnell et al. 2018, arXiv 1709.10163, section "Deep Autoencoder".
"""

from typing import Self

import torch
from torch import Tensor, nn

from agents.encoders.drawing import DrawingObjective, Scene
from agents.encoders.encoder import Encoder, Latents
from agents.encoders.objective import DataShapes, Losses, Needs, Samples, frames_of
from agents.encoders.preprocessing import FramePreprocessing
from agents.losses.global_sum import global_mean
from agents.losses.reconstruction import object_error
from agents.networks.image_decoders import TransposedDecoder
from agents.networks.image_encoders import PooledConvolutions
from agents.networks.layers import FullPrecisionLinear

WIDTHS = (64, 64, 64, 1)


class PooledEncoder(Encoder):
    """Convolutions with batch normalisation and pooling, and a linear layer to D numbers.

    Args:
        preprocessing: of frames whose sides are multiples of 16.
        feature_size: D; 0 = the last map itself, a 16th of each side, without a linear layer.
    """

    kind = "pooled convolutions"

    def __init__(self, preprocessing: FramePreprocessing, *, feature_size: int) -> None:
        convolutions = PooledConvolutions(
            preprocessing.channels, preprocessing.height, preprocessing.width, widths=WIDTHS
        )
        size = feature_size or convolutions.output_size
        super().__init__(preprocessing, size, {"feature_size": feature_size})
        self.convolutions = convolutions
        self.to_code = (
            FullPrecisionLinear(convolutions.output_size, size) if feature_size else nn.Identity()
        )

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Encode pictures [B, C, H, W]."""
        del memory
        return Latents(self.to_code(self.convolutions(inputs)).float(), None), None


class ConvAutoencoder(DrawingObjective):
    """Draw a frame from its code; the moving object has a share of the loss of its own.

    Differs from the paper: its decoder is not described; here linear layers stand on either side of
    the code, nothing is dropped, and a sigmoid ends it.

    Args:
        encoder: gives the code.
        object_share: of the loss that the object's pixels have (`object_error`).
    """

    kind = "conv_autoencoder"
    encoder: PooledEncoder

    def __init__(self, encoder: PooledEncoder, *, object_share: float = 0.5) -> None:
        super().__init__(encoder, {"object_share": object_share})
        frames = self.frames
        self.decoder = TransposedDecoder(
            encoder.feature_size,
            frames.channels,
            frames.height,
            frames.width,
            start_channels=WIDTHS[-1],
            widths=WIDTHS[:-1],
            rectify_start=False,
            normalize=True,
        )
        self.scene = Scene(frames)
        self._object_share = object_share

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's frames."""
        frames = frames_of(shapes, cls.kind)
        return cls(PooledEncoder(frames, feature_size=shapes.feature_size))

    @property
    def needs(self) -> Needs:
        """Single frames."""
        return Needs(("observations",))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the error of the pictures."""
        del generator
        original, made = self.reconstruct(samples)
        mask = self.scene.moving(original)
        error, _ = global_mean(object_error(made, original, mask, self._object_share))
        return Losses(error, {"reconstruction": error.detach()})
