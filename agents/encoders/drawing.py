"""Objectives that draw frames: figures of what they draw, and where in it something moves."""

import torch
from torch import Tensor, nn

from agents.encoders.objective import Objective, Pictures, Samples, given
from agents.encoders.preprocessing import FramePreprocessing, median_picture
from agents.losses.reconstruction import object_mask, ratio_to_mean_picture, squared_error

OBJECT_THRESHOLD = 0.1  # of the full range: what differs by more is no background


class MovingObject(nn.Module):
    """Where pictures differ from their background, the per-pixel median of the training data.

    Args:
        frames: whose pictures they are.
    """

    background: Tensor

    def __init__(self, frames: FramePreprocessing) -> None:
        super().__init__()
        shape = (frames.channels, frames.height, frames.width)
        self.register_buffer("background", torch.zeros(shape))

    def mask(self, pictures: Tensor) -> Tensor:
        """Return which pixels [B, H, W] of pictures [B, C, H, W] are the object's."""
        return object_mask(pictures, self.background, OBJECT_THRESHOLD)


class DrawingObjective(Objective):
    """An objective with a decoder from features to pictures.

    Attributes:
        decoder: features [B, D] -> pictures [B, C, H, W] from 0 to 1.
        moving_object: tells it from the background.
    """

    decoder: nn.Module
    moving_object: MovingObject

    @property
    def frames(self) -> FramePreprocessing:
        """What turns the samples' observations into pictures: the encoder's, unless it has none.

        Raises:
            ValueError: the encoder does not see frames.
        """
        if not isinstance(self.encoder.preprocessing, FramePreprocessing):
            raise ValueError(f"{self.kind} draws frames, and its encoder sees none")
        return self.encoder.preprocessing

    def fit(self, samples: Samples) -> None:
        """Take the encoder's statistics and the background from samples [N, ...]."""
        super().fit(samples)
        self.fit_background(samples)

    @torch.no_grad()
    def fit_background(self, samples: Samples) -> None:
        """Take the background alone."""
        median = median_picture(self._observations(samples))
        self.moving_object.background.copy_(self.frames.pictures(median.unsqueeze(0))[0])

    def originals(self, samples: Samples) -> Tensor:
        """Return the samples' frames as pictures [K, C, H, W], fillings left out."""
        return self.frames.pictures(self._observations(samples))

    def reconstruct(self, samples: Samples) -> Pictures:
        """Draw the samples' frames from their features, fillings left out."""
        return Pictures(self.originals(samples), self.decoder(self.features(samples)))

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Add how the pictures compare to one picture for all: whole, and where things move."""
        original, made = self.reconstruct(samples)
        moving = self.moving_object.mask(original)
        everywhere = torch.ones_like(moving)
        return super().diagnose(samples) | {
            "reconstruction/squared_error": squared_error(made, original).mean(),
            "reconstruction/ratio_to_mean_picture": ratio_to_mean_picture(
                made, original, everywhere
            ),
            "reconstruction/object_ratio": ratio_to_mean_picture(made, original, moving),
        }

    def _observations(self, samples: Samples) -> Tensor:
        return self.single_steps(given(samples, "observations"), samples)
