"""Draw frames from the features of a finished encoder: what it has kept of them.

The encoder stands still, in evaluation mode throughout; the decoder alone is trained.
"""

from typing import Self

import torch
from torch import Tensor

from agents.encoders.drawing import DrawingObjective, Scene
from agents.encoders.encoder import Encoder
from agents.encoders.objective import DataShapes, Losses, Needs, Samples
from agents.encoders.preprocessing import VectorPreprocessing
from agents.losses.global_sum import global_mean
from agents.losses.reconstruction import object_error
from agents.networks.image_decoders import DenseDecoder

HIDDEN_SIZES = (128,) * 4
REMEMBERED_STEPS = 30  # of a window, where the encoder has a memory


class FrameDecoder(DrawingObjective):
    """Features, standardised -> frame, by a multilayer perceptron.

    Args:
        encoder: of frames, frozen here.
        steps: T of the windows that an encoder with a memory is shown; 1 without one.
        object_share: of the loss that the object's pixels have (`object_error`).
    """

    kind = "frame_decoder"
    builds_on_encoder = True

    def __init__(self, encoder: Encoder, *, steps: int = 1, object_share: float = 0.0) -> None:
        super().__init__(encoder, {"steps": steps, "object_share": object_share})
        encoder.requires_grad_(False).eval()
        frames = self.frames
        self.scaling = VectorPreprocessing(encoder.feature_size)
        self.decoder = DenseDecoder(
            encoder.feature_size,
            frames.channels,
            frames.height,
            frames.width,
            hidden_sizes=HIDDEN_SIZES,
        )
        self.scene = Scene(frames)
        self._steps = steps
        self._object_share = object_share

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it on an encoder that has been trained.

        Raises:
            ValueError: there is none, or it does not see frames.
        """
        encoder = shapes.finished
        if encoder is None or encoder.observes != "observations" or shapes.frames is None:
            raise ValueError(
                f"{cls.kind} needs an encoder of frames that has been trained: FinishedEncoder = "
                "its folder"
            )
        return cls(encoder, steps=1 if encoder.initial_memory(1) is None else REMEMBERED_STEPS)

    @property
    def needs(self) -> Needs:
        """Single frames, or windows of them."""
        fields = ("observations",) if self._steps == 1 else ("observations", "mask")
        return Needs(fields, self._steps)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as in torch
        """Set the mode of all but the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def fit(self, samples: Samples) -> None:
        """Take the scene and the features' scale; the encoder keeps its own statistics."""
        self.fit_scene(samples)
        with torch.no_grad():
            self.scaling.fit(self.features(samples))

    def draw(self, features: Tensor) -> Tensor:
        """Draw features [B, D], whatever their scale."""
        return self.scene.draw(self.decoder(self.scaling(features)))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the error of the pictures."""
        del generator
        with torch.no_grad():
            features = self.features(samples)
        original, made = self.originals(samples), self.draw(features)
        mask = self.scene.moving(original)
        error, _ = global_mean(object_error(made, original, mask, self._object_share))
        return Losses(error, {"reconstruction": error.detach()})
