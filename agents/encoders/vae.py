"""The variational autoencoder of "World Models".

Ha and Schmidhuber 2018, arXiv 1803.10122, section 2.1 and appendix A.1.
"""

from typing import Self

import torch
from torch import Tensor

from agents.encoders.convolutional import KERNEL, WIDTHS
from agents.encoders.drawing import DrawingObjective, Scene
from agents.encoders.encoder import Encoder, Latents
from agents.encoders.objective import DataShapes, Losses, Needs, Samples, frames_of
from agents.encoders.preprocessing import FramePreprocessing
from agents.losses.global_sum import global_mean
from agents.losses.reconstruction import squared_error
from agents.losses.vae import gaussian_divergence, reparameterized, tolerated
from agents.networks.image_decoders import WORLD_MODELS_SIZE, WorldModelsDecoder
from agents.networks.image_encoders import StridedConvolutions
from agents.networks.layers import FullPrecisionLinear


class VAEEncoder(Encoder):
    """Frames of 64 x 64 pixels -> a Gaussian over D numbers; its mean are the features.

    Args:
        preprocessing: of frames.
        feature_size: D.
    """

    kind = "vae"

    def __init__(self, preprocessing: FramePreprocessing, *, feature_size: int) -> None:
        super().__init__(preprocessing, feature_size, {"feature_size": feature_size})
        self.convolutions = StridedConvolutions(
            preprocessing.channels,
            preprocessing.height,
            preprocessing.width,
            widths=WIDTHS,
            kernel=KERNEL,
        )
        self.mean = FullPrecisionLinear(self.convolutions.output_size, feature_size)
        self.log_variance = FullPrecisionLinear(self.convolutions.output_size, feature_size)

    def gaussian(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log of the variance, [B, D] each, of pictures [B, C, H, W]."""
        code = self.convolutions(inputs)
        return self.mean(code), self.log_variance(code)

    def from_inputs(
        self, inputs: Tensor, memory: Tensor | None = None
    ) -> tuple[Latents, Tensor | None]:
        """Return mean and deviation of pictures [B, C, H, W]."""
        del memory
        mean, log_variance = self.gaussian(inputs)
        return Latents(mean, torch.exp(0.5 * log_variance)), None


class VAE(DrawingObjective):
    """Draw a frame from a noisy code, and keep the code near the prior.

        L = 1/N Σ_n [ Σ (x̂ - x)² + max(KL, λ D) ]

    Args:
        encoder: gives the Gaussian.
        tolerance: λ, how much divergence is free, in nats a dimension: 0.5 in the paper's code.

    Raises:
        ValueError: frames that are not 64 x 64.
    """

    kind = "vae"
    encoder: VAEEncoder

    def __init__(self, encoder: VAEEncoder, *, tolerance: float = 0.5) -> None:
        super().__init__(encoder, {"tolerance": tolerance})
        frames = self.frames
        if (frames.height, frames.width) != (WORLD_MODELS_SIZE, WORLD_MODELS_SIZE):
            raise ValueError(
                f"the VAE of World Models draws frames of 64 x 64 pixels, not "
                f"{frames.height} x {frames.width}: collect them in that size"
            )
        self.decoder = WorldModelsDecoder(encoder.feature_size, frames.channels)
        self.scene = Scene(frames)
        self._tolerated = tolerance * encoder.feature_size

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's frames."""
        frames = frames_of(shapes, cls.kind)
        return cls(VAEEncoder(frames, feature_size=shapes.feature_size))

    @property
    def needs(self) -> Needs:
        """Single frames."""
        return Needs(("observations",))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the loss, and its two terms."""
        mean, log_variance = self.encoder.gaussian(
            self.encoder.preprocessing(self.observed(samples))
        )
        code = reparameterized(mean, log_variance, self._noise(mean, generator))
        errors = squared_error(self.draw(code), self.originals(samples))
        divergences = gaussian_divergence(mean, log_variance)
        terms, _ = global_mean(
            torch.stack([errors, tolerated(divergences, self._tolerated), divergences], dim=1)
        )
        error, penalty, divergence = terms.unbind()
        return Losses(
            error + penalty,
            {"reconstruction": error.detach(), "divergence": divergence.detach()},
        )

    def _noise(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(mean.shape, generator=generator, device=mean.device)
