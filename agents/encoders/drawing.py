"""Objectives that draw frames: where they start from, how well they draw, what moves."""

import torch
from torch import Tensor, nn

from agents.encoders.objective import Objective, Pictures, Samples, given
from agents.encoders.preprocessing import FramePreprocessing, median_picture
from agents.losses.reconstruction import object_mask, ratio_to_mean_picture, squared_error

OBJECT_THRESHOLD = 0.1  # of the full range: what differs by more is no background
SMALLEST_SHARE = 1.0 / 255.0  # a mean at black or white counts as this far from it


class Scene(nn.Module):
    """What the frames of the training data have in common: their mean and their median.

    Args:
        frames: whose pictures they are.
    """

    background: Tensor
    mean_logits: Tensor

    def __init__(self, frames: FramePreprocessing) -> None:
        super().__init__()
        shape = (frames.channels, frames.height, frames.width)
        self.register_buffer("background", torch.zeros(shape))
        self.register_buffer("mean_logits", torch.zeros(shape))

    @torch.no_grad()
    def fit(self, pictures: Tensor, background: Tensor) -> None:
        """Take the mean of pictures [N, C, H, W], and the background [C, H, W]."""
        mean = pictures.mean(dim=0)
        self.mean_logits.copy_(torch.logit(mean, eps=SMALLEST_SHARE))
        self.background.copy_(background)

    def draw(self, logits: Tensor) -> Tensor:
        """Return the pictures σ(l + logit(mean)) of a decoder's logits [B, C, H, W].

        A decoder whose output is still near 0 draws the mean picture. It would learn that first
        anyhow, slowly, and units that die on the way are missing afterwards.
        """
        return torch.sigmoid(logits.float() + self.mean_logits)

    def moving(self, pictures: Tensor) -> Tensor:
        """Return which pixels [B, H, W] of pictures [B, C, H, W] differ from the background."""
        return object_mask(pictures, self.background, OBJECT_THRESHOLD)


class DrawingObjective(Objective):
    """An objective with a decoder from features to pictures.

    Attributes:
        decoder: features [B, D] -> logits of pictures [B, C, H, W].
        scene: what the decoder starts from, and what tells the moving object from it.
    """

    decoder: nn.Module
    scene: Scene

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
        """Take the encoder's statistics and the scene from samples [N, ...]."""
        super().fit(samples)
        self.fit_scene(samples)

    def fit_scene(self, samples: Samples) -> None:
        """Take the scene alone."""
        frames = self.single_steps(given(samples, "observations"), samples)
        background = self.frames.pictures(median_picture(frames).unsqueeze(0))[0]
        self.scene.fit(self.frames.pictures(frames), background)

    def draw(self, features: Tensor) -> Tensor:
        """Draw features [B, D] as pictures [B, C, H, W] from 0 to 1."""
        return self.scene.draw(self.decoder(features))

    def originals(self, samples: Samples) -> Tensor:
        """Return the samples' frames as pictures [K, C, H, W], fillings left out."""
        return self.frames.pictures(self.single_steps(given(samples, "observations"), samples))

    def reconstruct(self, samples: Samples) -> Pictures:
        """Draw the samples' frames from their features, fillings left out."""
        return Pictures(self.originals(samples), self.draw(self.features(samples)))

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Add how the pictures compare to one picture for all: whole, and where things move."""
        original, made = self.reconstruct(samples)
        moving = self.scene.moving(original)
        everywhere = torch.ones_like(moving)
        return super().diagnose(samples) | {
            "reconstruction/squared_error": squared_error(made, original).mean(),
            "reconstruction/ratio_to_mean_picture": ratio_to_mean_picture(
                made, original, everywhere
            ),
            "reconstruction/object_ratio": ratio_to_mean_picture(made, original, moving),
        }
