"""Draw the frame that belongs to a state: whether the state tells all that is seen.

The state is standardised, and its statistics are part of the module: a decoder that is shown states
in other units draws the same frame for all of them.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import nn

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
from agents.networks.layers import dense_layers

HIDDEN_SIZES = (256, 256)
START_CHANNELS, WIDTHS = 64, (64, 32, 16)
OBJECT_SHARE = 0.1


class StateDecoder(DrawingObjective):
    """State -> frame, by dense layers and transposed convolutions.

    Without hidden layers a unit of the small map tells on which side of a line the state lies, and
    the object becomes a patch many times as large. The larger its share of the loss, the larger is
    the patch too: all pixels where it may be are drawn as if it were there.

    Args:
        encoder: standardises states.
        frames: facts of the frames, whose sides are multiples of 16.
        object_share: of the loss that the object's pixels have (`object_error`).
        hidden_sizes: widths of the layers below the transposed convolutions; none in checkpoints
            from before there were any.
    """

    kind = "state_decoder"

    def __init__(
        self,
        encoder: StateEncoder,
        *,
        frames: dict[str, Any],
        object_share: float,
        hidden_sizes: Sequence[int] = (),
    ) -> None:
        settings = {"object_share": object_share, "hidden_sizes": list(hidden_sizes)}
        super().__init__(encoder, {"frames": frames, **settings})
        preprocessing = build_preprocessing(frames)
        assert isinstance(preprocessing, FramePreprocessing)
        self._frames = preprocessing
        sizes = (encoder.feature_size, *hidden_sizes)
        transposed = TransposedDecoder(
            sizes[-1],
            preprocessing.channels,
            preprocessing.height,
            preprocessing.width,
            start_channels=START_CHANNELS,
            widths=WIDTHS,
            rectify_start=True,
            normalize=False,
        )
        hidden = dense_layers(sizes, nn.ReLU())
        self.decoder = nn.Sequential(hidden, transposed) if hidden_sizes else transposed
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
        return cls(
            encoder, frames=frames.facts, object_share=OBJECT_SHARE, hidden_sizes=HIDDEN_SIZES
        )

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
