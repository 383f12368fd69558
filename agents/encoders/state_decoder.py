"""Draw the frame that belongs to a state: whether the state tells all that is seen.

The state is standardised, and its statistics are part of the module: a decoder that is shown states
in other units draws the same frame for all of them.
"""

from typing import Any, Self

import torch

from agents.encoders.drawing import DrawingObjective, Scene
from agents.encoders.encoder import StateEncoder
from agents.encoders.objective import DataShapes, Losses, Needs, Samples, frames_of
from agents.encoders.preprocessing import (
    FramePreprocessing,
    VectorPreprocessing,
    build_preprocessing,
)
from agents.losses.global_sum import global_mean
from agents.losses.reconstruction import object_error
from agents.networks.image_decoders import TransposedDecoder

START_CHANNELS, WIDTHS = 64, (64, 32, 16)


class StateDecoder(DrawingObjective):
    """State -> frame, by a dense layer and transposed convolutions.

    Args:
        encoder: standardises states.
        frames: facts of the frames, whose sides are multiples of 16.
        object_share: of the loss that the object's pixels have (`object_error`).
    """

    kind = "state_decoder"

    def __init__(
        self, encoder: StateEncoder, *, frames: dict[str, Any], object_share: float = 0.5
    ) -> None:
        super().__init__(encoder, {"frames": frames, "object_share": object_share})
        preprocessing = build_preprocessing(frames)
        assert isinstance(preprocessing, FramePreprocessing)
        self._frames = preprocessing
        self.decoder = TransposedDecoder(
            encoder.feature_size,
            preprocessing.channels,
            preprocessing.height,
            preprocessing.width,
            start_channels=START_CHANNELS,
            widths=WIDTHS,
            rectify_start=True,
            normalize=False,
        )
        self.scene = Scene(preprocessing)
        self._object_share = object_share

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's states and frames.

        Raises:
            ValueError: the dataset has no states, or no frames.
        """
        frames = frames_of(shapes, cls.kind)
        if not shapes.state_size:
            raise ValueError(f"{cls.kind} draws states, and the dataset has none")
        encoder = StateEncoder(VectorPreprocessing(shapes.state_size))
        return cls(encoder, frames=frames.facts)

    @property
    def frames(self) -> FramePreprocessing:
        """Of the frames that are drawn."""
        return self._frames

    @property
    def needs(self) -> Needs:
        """Frames, and the state of each."""
        return Needs(("observations", "states"))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the error of the pictures."""
        del generator
        original, made = self.reconstruct(samples)
        mask = self.scene.moving(original)
        error, _ = global_mean(object_error(made, original, mask, self._object_share))
        return Losses(error, {"reconstruction": error.detach()})
